import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  attachContainer,
  Client,
  ConnectError,
  importImage,
  inspectContainer,
  loadImages,
  ResponseError,
  startContainer,
  waitContainer,
} from '../src/index.ts'

/** A real HTTP server on a real socket; each path is one behaviour of a daemon. */
const directory = mkdtempSync(join(tmpdir(), 'ctr-client-'))
const socketPath = join(directory, 's')
let server: Server
let connections = 0
const client = new Client({ host: `unix://${socketPath}` })

before(async () => {
  server = createServer(serve)
  server.on('connection', () => {
    connections += 1
  })
  server.on('upgrade', echo)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    serve(request, response)
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
})

after(async () => {
  await client[Symbol.asyncDispose]()
  server.close()
  server.closeAllConnections()
  rmSync(directory, { recursive: true })
})

function serve(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '', 'http://x')
  if (pathname === '/containers/ok/json') response.end('{"Id":"ok"}')
  else if (pathname === '/containers/running/start') response.writeHead(304).end()
  else if (pathname === '/containers/c/wait') {
    response.flushHeaders()
    setImmediate(() => response.end('{"StatusCode":7}'))
  } else if (pathname === '/containers/broken/wait') {
    response.flushHeaders()
    setImmediate(() => request.socket.destroy())
  } else if (pathname === '/containers/never/wait') return
  else if (pathname === '/images/load') {
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    request.on('end', () => response.end(`{"stream":"${bytes}"}\r\n{"stream":"done"}\n`))
  } else if (pathname === '/images/create') {
    // With the file: an answer without the body; an old daemon never says to go on.
    if (request.headers['ctr-body-file'] !== undefined && !request.url?.includes('old')) {
      response.writeProcessing()
      // Longer than a client waits for a word.
      setTimeout(() => response.end('{"stream":"by file"}\n'), 1300)
    } else request.resume().on('end', () => response.end('{"stream":"sent"}\n'))
  } else if (pathname === '/plain') response.writeHead(502).end('bad gateway')
  else response.writeHead(404).end('{"message":"No such container: nope"}')
}

/** Answers only after end-of-file: half-close must reach the other side. */
function echo(_request: IncomingMessage, stream: Socket): void {
  stream.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => stream.end(Buffer.concat(chunks)))
}

describe('Client', () => {
  it('reuses its connection', async () => {
    await inspectContainer(client, 'ok')
    const before = connections
    for (let i = 0; i < 5; i++) assert.equal((await inspectContainer(client, 'ok')).Id, 'ok')
    assert.equal(connections, before)
  })

  it('turns an error status into the code that the engine threw', async () => {
    await assert.rejects(inspectContainer(client, 'nope'), (error) => {
      assert(error instanceof ResponseError)
      assert.deepEqual(
        [error.code, error.status, error.message],
        ['NOT_FOUND', 404, 'No such container: nope'],
      )
      return true
    })
  })

  it('takes a text that is not JSON as the message', async () => {
    await assert.rejects(client.run({ method: 'GET', path: '/plain' }), /bad gateway/)
  })

  it('succeeds when there was nothing to do', () => startContainer(client, 'running'))

  it('tells that a wait is registered before it ends', async () => {
    const waiting = await waitContainer(client, 'c')
    assert.equal((await waiting.result).StatusCode, 7)
  })

  it('reports a connection that broke in the middle of an answer', async () => {
    const waiting = await waitContainer(client, 'broken')
    await assert.rejects(waiting.result, /connection to the daemon lost/)
  })

  it('sends a stream of unknown length whole', async () => {
    const messages: unknown[] = []
    const tar = (async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 50; i++) yield Buffer.alloc(100_000, i)
    })()
    for await (const message of loadImages(client, { tar, quiet: true })) messages.push(message)
    assert.deepEqual(messages, [{ stream: '5000000' }, { stream: 'done' }])
  })

  it('leaves a file to a daemon that takes it, and sends it to one that does not', async () => {
    const fd = openSync(import.meta.filename, 'r')
    const answers: (string | undefined)[] = []
    let reads = 0
    async function* tar(): AsyncGenerator<Uint8Array> {
      reads += 1
      yield Buffer.from('tar')
    }
    for (const repository of ['new', 'old']) {
      const options = { source: '-', repository, tar: tar(), file: fd }
      for await (const { stream } of importImage(client, options)) answers.push(stream)
    }
    closeSync(fd)
    assert.deepEqual(answers, ['by file', 'sent'])
    assert.equal(reads, 1)
  })

  it('carries binary data both ways through an upgraded connection, end-of-file included', async () => {
    const stream = await attachContainer(client, 'c', { stdin: true, stdout: true, stderr: true })
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251))
    const receiving = stream.input.bytes()
    await stream.write(sent)
    stream.end()
    assert(sent.equals(await receiving))
  })

  it('aborts a request with its signal', async () => {
    await using own = new Client({ host: socketPath })
    const controller = new AbortController()
    const waiting = waitContainer(own, 'never', { signal: controller.signal })
    controller.abort()
    await assert.rejects(waiting, { code: 'CANCELLED' })
  })

  it('says where nobody answers', async () => {
    await using nobody = new Client({ host: `unix://${directory}/none` })
    await assert.rejects(inspectContainer(nobody, 'x'), (error) => {
      assert(error instanceof ConnectError)
      assert.equal(error.code, 'UNAVAILABLE')
      assert.match(error.message, /none/)
      return true
    })
  })

  it('refuses an empty reference without asking', () => {
    assert.throws(() => inspectContainer(client, ''), /value is empty/)
  })
})
