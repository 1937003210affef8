import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Type } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../src/context.ts'
import { PlainFailure } from '../src/http/plain-text.ts'
import { type AnyRoute, route } from '../src/http/route.ts'
import { buildApiServer } from '../src/http/server.ts'
import { openLog } from '../src/log.ts'
import { headPingRoute, pingRoute } from '../src/routes/system/ping.ts'
import { CASES, FOR_NODE } from './front-cases.ts'

let release: () => void = () => undefined
let end: () => void = () => undefined
let gone: Promise<void> = Promise.resolve()

const routes: readonly AnyRoute[] = [
  pingRoute,
  headPingRoute,
  route({
    method: 'POST',
    path: '/containers/create',
    summary: '',
    status: 201,
    query: { name: 'string', all: 'strings', flag: 'boolean', n: 'integer' },
    body: Type.Partial({ Name: Type.String() }),
    handle: async (_context, { body, query, apiMinor }) => ({ body, query, apiMinor }),
  }),
  route({
    method: 'POST',
    path: '/containers/:id/start',
    summary: '',
    handle: async (_context, { id, headers }) => {
      if (id === 'same') throw new EngineError('NOT_MODIFIED', 'already started')
      if (id === 'bug') throw new TypeError('a bug: ü')
      return id === 'none' ? undefined : { id, agent: headers['user-agent'] ?? null }
    },
  }),
  route({
    method: 'POST',
    path: '/containers/:id/wait',
    summary: '',
    handle: async (_context, { id, signal, openOutput }) => {
      const output = await openOutput('application/json')
      if (id === 'broken') throw new EngineError('INTERNAL', 'broken on the way')
      if (id === 'silent') {
        const later = Promise.withResolvers<void>()
        end = later.resolve
        release()
        await later.promise
        return void output.end()
      }
      if (id === 'long') {
        const hangUp = once(signal, 'abort').then(() => undefined)
        gone = hangUp
        release()
        await hangUp
      }
      output.write('{"a":1}\n')
      output.end('{"b":2}\n')
    },
  }),
  route({
    method: 'GET',
    path: '/info',
    summary: '',
    query: { filters: 'string', name: 'string' },
    handle: async (_context, { query }) => query,
  }),
  route({
    method: 'GET',
    path: '/images/:id/json',
    summary: '',
    handle: async (_context, { id }) => ({ id }),
  }),
  route({
    method: 'DELETE',
    path: '/images/:id',
    summary: '',
    status: 200,
    handle: async (_context, { id }) => ({ id }),
  }),
  route({
    method: 'HEAD',
    path: '/containers/:id/archive',
    summary: '',
    status: 200,
    handle: async (_context, { id, setHeader }) => {
      if (id === 'none') throw new EngineError('NOT_FOUND', 'no such container: ü')
      setHeader('X-Docker-Container-Path-Stat', 'e30=')
    },
  }),
  route({
    method: 'PUT',
    path: '/containers/:id/archive',
    takesStream: true,
    summary: '',
    status: 200,
    handle: async (_context, { id, input }) => {
      const text = (await input.toArray()).join('')
      return id === 'none' ? undefined : { text }
    },
  }),
  route({
    method: 'POST',
    path: '/containers/:id/attach',
    takesConnection: true,
    summary: '',
    query: { stdin: 'boolean' },
    body: Type.Partial({ Tty: Type.Boolean() }),
    isBodyOptional: true,
    handle: async (_context, { id, takeOver, body }): Promise<unknown> => {
      if (id === 'none') throw new EngineError('NOT_FOUND', 'no such container: ü')
      if (id === 'text') {
        throw new PlainFailure(new EngineError('CONFLICT', 'paused'), 'application/x-test')
      }
      if (id === 'nothing') return undefined
      if (id !== 'taken') return { isRare: true }
      const connection = await takeOver('application/x-test', { 'X-Words': 'a b' })
      const [first] = (await once(connection, 'data')) as [Buffer]
      connection.end(`tty=${body.Tty ?? false}; ${first.length > 0}`)
      return undefined
    },
  }),
]

describe('the front of the server', { timeout: 60_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-daemon-front-'))
  const path = join(directory, 's')
  const sockets = new Set<Socket>()
  let listener: Server
  let close: () => void = () => undefined
  before(async () => {
    const server = await buildApiServer({ routes, context: {} as Context, log: openLog('fatal') })
    listener = server.newListener()
    listener.on('connection', (socket: Socket) => sockets.add(socket))
    listener.listen(path)
    await once(listener, 'listening')
    close = () => listener.close()
  })
  after(() => {
    close()
    for (const socket of sockets) socket.destroy()
    rmSync(directory, { recursive: true })
  })

  function requestOf([method, url, fields = '', body = '']: (typeof CASES)[number]): string {
    const length = ['POST', 'PUT'].includes(method)
      ? `Content-Length: ${Buffer.byteLength(body)}\r\n`
      : ''
    return `${method} ${url} HTTP/1.1\r\nHost: d\r\n${fields}${length}\r\n${body}`
  }

  /** All that comes until the answer to a last `GET /_ping` that ends the connection. */
  async function talk(...pieces: readonly string[]): Promise<string> {
    const socket = connect(path)
    const closed = once(socket, 'close')
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    for (const piece of pieces) {
      const lengthBefore = text.length
      socket.write(piece)
      // The next piece is to come by itself.
      const deadline = Date.now() + 50
      while (text.length === lengthBefore && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    // Some answers are a connection's last.
    if (socket.writable) socket.write('GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n')
    await closed
    return text.replace(/^Date: .*\r\n/gm, '')
  }

  /** In any order and case. */
  function comparable(answers: string): string[] {
    return answers.split(/(?=HTTP\/1\.1 )/).map((answer) => {
      const [head = '', ...body] = answer.split('\r\n\r\n')
      const [status, ...fields] = head.split('\r\n')
      return [status, ...fields.map((field) => field.toLowerCase()).sort(), ...body].join('\n')
    })
  }

  test('answers as Node and Fastify do', async () => {
    for (const request of CASES) {
      const [method, url, fields = '', body] = request
      const byFront = await talk(requestOf(request))
      const byNode = await talk(requestOf([method, url, FOR_NODE + fields, body ?? '']))
      // What Node sends in two chunks may come here so, too.
      assert.deepEqual(comparable(byFront), comparable(byNode), `${method} ${url}`)
    }
  })

  test('answers many requests on a connection, also when they come at once or in pieces', async () => {
    const create = requestOf([
      'POST',
      '/containers/create',
      'Content-Type: application/json\r\n',
      '{"Name":"x"}',
    ])
    const start = requestOf(['POST', '/containers/abc/start'])
    const wait = requestOf(['POST', '/containers/abc/wait'])
    const info = requestOf(['POST', '/containers/a/attach'])
    const expected = await talk(create, wait, start, info, start)
    assert.equal(expected.match(/HTTP\/1\.1 20[01]/g)?.length, 6)
    assert.deepEqual(
      comparable(await talk(create + wait + start + info + start)),
      comparable(expected),
    )
    for (const at of [1, 20, create.length - 5]) {
      const pieces = await talk(create.slice(0, at), create.slice(at) + wait, start + info, start)
      assert.deepEqual(comparable(pieces), comparable(expected), `in pieces at ${at}`)
    }
  })

  test('goes on with a body that comes later, however long that takes', async () => {
    const body = JSON.stringify({ Name: 'x'.repeat(60_000) })
    const whole = requestOf([
      'POST',
      '/containers/create',
      'Content-Type: application/json\r\n',
      body,
    ])
    const pieces = [whole.slice(0, 300), whole.slice(300, 40_000), whole.slice(40_000)]
    assert.deepEqual(comparable(await talk(...pieces)), comparable(await talk(whole)))
  })

  test('has no limit of time for a body', async () => {
    const whole = requestOf([
      'POST',
      '/containers/create',
      'Content-Type: application/json\r\n',
      '{"Name":"x"}',
    ])
    const client = connect(path)
    const [server] = (await once(listener, 'connection')) as [Socket]
    client.write(whole.slice(0, -3))
    await once(server, 'data')
    // As after a minute without a byte.
    server.emit('timeout')
    client.write(whole.slice(-3))
    const [answer] = (await once(client, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1\.1 201 /)
    client.destroy()
  })

  test('an answer that ends without a byte, to a client that has said its last and reads nothing', async () => {
    const { promise: waiting, resolve } = Promise.withResolvers<void>()
    release = resolve
    const client = connect({ path, allowHalfOpen: true }).pause()
    client.write(requestOf(['POST', '/containers/silent/wait']))
    const [server] = (await once(listener, 'connection')) as [Socket]
    await waiting
    // More than fits between the two: what follows waits.
    server.write(Buffer.alloc(4 << 20))
    client.end()
    await once(server, 'end')
    end()
    await new Promise((closed) => server.once('close', closed))
    client.destroy()
  })

  test('tells the handler that the client has gone, by its end or at once', async () => {
    for (const leave of ['end', 'destroy'] as const) {
      const { promise: waiting, resolve } = Promise.withResolvers<void>()
      release = resolve
      const socket = connect(path).on('error', () => undefined)
      socket.write(requestOf(['POST', '/containers/long/wait']))
      await waiting
      socket[leave]()
      await gone
    }
  })

  test('ends a connection that asks for an upgrade before it has its last answer', async () => {
    const { promise: waiting, resolve } = Promise.withResolvers<void>()
    release = resolve
    const socket = connect(path).on('error', () => undefined)
    const upgrade = requestOf(['POST', '/info', 'Connection: Upgrade\r\nUpgrade: tcp\r\n'])
    socket.write(requestOf(['POST', '/containers/long/wait', FOR_NODE]) + upgrade)
    const closed = new Promise((done) => socket.once('close', done))
    await waiting
    socket.resume()
    await closed
    await gone
  })

  test('ends the connection when an answer breaks off, or a request', async () => {
    for (const [text, expected] of [
      [requestOf(['POST', '/containers/broken/wait']), /^HTTP\/1\.1 200 /],
      [
        'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{}',
        /^HTTP\/1\.1 400 /,
      ],
    ] as const) {
      const socket = connect(path)
      let answer = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk
      })
      if (expected.source.includes('400')) socket.end(text)
      else socket.write(text)
      await once(socket, 'close')
      assert.match(answer, expected)
      assert.ok(!answer.includes('\r\n0\r\n\r\n'))
    }
  })

  test('serves a client that asks a lot and reads late', async () => {
    const socket = connect(path)
    const count = 2000
    socket.pause()
    socket.write(requestOf(['POST', '/containers/abc/start']).repeat(count))
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.split('HTTP/1.1 200').length > count && text.endsWith('}\n')) socket.destroy()
    })
    socket.resume()
    await once(socket, 'close')
    assert.equal(text.split('HTTP/1.1 200').length - 1, count)
  })
})
