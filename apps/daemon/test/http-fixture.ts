import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before } from 'node:test'
import { createGunzip } from 'node:zlib'
import { Type } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../src/context.ts'
import { route } from '../src/http/route.ts'
import { buildApiServer } from '../src/http/server.ts'
import { openLog } from '../src/log.ts'
import { headPingRoute, pingRoute } from '../src/routes/system/ping.ts'

const directory = mkdtempSync(join(tmpdir(), 'ctr-daemon-http-'))
export const socketPath = join(directory, 's')

/** What the route of `attach` waits for between its answer and its first look at what the client says. */
export const attachReads = { after: Promise.resolve() }

/** Routes of this test: what the engine does is not the subject. */
const routes = [
  pingRoute,
  headPingRoute,
  route({
    method: 'POST',
    path: '/echo',
    summary: '',
    query: { n: 'integer', flag: 'boolean', all: 'strings' },
    body: Type.Partial({ Name: Type.String(), Size: Type.Integer() }),
    handle: async (_context, { body, query, apiMinor }) => ({ body, query, apiMinor }),
  }),
  route({
    method: 'GET',
    path: '/containers/:id/json',
    summary: '',
    handle: async (_context, { id }) => {
      throw new EngineError('NOT_FOUND', `No such container: ${id}`)
    },
  }),
  route({
    method: 'POST',
    path: '/containers/:id/start',
    summary: '',
    handle: async () => {
      throw new EngineError('NOT_MODIFIED', 'already started')
    },
  }),
  route({
    method: 'POST',
    path: '/containers/:id/attach',
    summary: '',
    takesConnection: true,
    body: Type.Partial({ Tty: Type.Boolean() }),
    isBodyOptional: true,
    handle: async (_context, { takeOver, body }) => {
      const stream = await takeOver('application/x-test')
      await attachReads.after
      await echo(stream, `tty=${body.Tty ?? false};`)
    },
  }),
  route({
    method: 'GET',
    path: '/containers/:id/attach/ws',
    summary: '',
    webSocket: 'only',
    handle: async (_context, { takeOver, id }) => {
      if (id === 'none') throw new EngineError('NOT_FOUND', 'No such container: none')
      await echo(await takeOver('application/x-test'), '')
    },
  }),
  route({
    method: 'GET',
    path: '/lines',
    summary: '',
    webSocket: 'also',
    query: { fail: 'boolean' },
    handle: async (_context, { openOutput, query }) => {
      const output = await openOutput('application/json')
      output.write('{"a":1}\n')
      if (query.fail) throw new EngineError('INTERNAL', 'broken on the way')
      output.end()
    },
  }),
  route({
    method: 'POST',
    path: '/first',
    summary: '',
    takesStream: true,
    handle: async (_context, call) => {
      for await (const _chunk of await call.openInput())
        throw new EngineError('INVALID_ARGUMENT', 'no archive')
    },
  }),
  route({
    method: 'POST',
    path: '/gunzip',
    summary: '',
    takesStream: true,
    handle: async (_context, call) => {
      await pipeline(Readable.from(await call.openInput()), createGunzip(), async (chunks) => {
        for await (const _chunk of chunks) throw new EngineError('INVALID_ARGUMENT', 'no archive')
      }).catch(() => {
        throw new EngineError('INVALID_ARGUMENT', 'no archive')
      })
    },
  }),
  route({
    method: 'POST',
    path: '/taste',
    summary: '',
    takesStream: true,
    handle: async (_context, call) => {
      const input = await call.openInput()
      await once(input, 'data')
      input.pause()
      throw new EngineError('INVALID_ARGUMENT', 'no archive')
    },
  }),
  route({
    method: 'GET',
    path: '/crash',
    summary: '',
    handle: async () => {
      throw new TypeError('a bug')
    },
  }),
]

/** Says everything back, and a last word after the other side's end. */
async function echo(stream: Duplex, greeting: string): Promise<void> {
  stream.write(greeting)
  for await (const chunk of stream) stream.write(chunk)
  stream.end('bye')
}

export const listener = await buildApiServer({
  routes,
  context: {} as Context,
  log: openLog('fatal'),
}).then((server) => server.newListener())

before(async () => {
  listener.listen(socketPath)
  await once(listener, 'listening')
})
after(() => {
  listener.close()
  listener.closeAllConnections()
  rmSync(directory, { recursive: true })
})

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly message: string
}

export function ask(
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          message: messageOf(text),
        })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

function messageOf(text: string): string {
  try {
    return JSON.parse(text).message
  } catch {
    return ''
  }
}

/** Sends bytes as they are and reads until the server closes. */
export async function raw(bytes: string | Buffer): Promise<string> {
  const socket = connect(socketPath)
  socket.write(bytes)
  return await readAll(socket)
}

export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of socket) chunks.push(chunk)
  } catch {
    // A reset after the answer is the server's right.
  }
  return Buffer.concat(chunks).toString('latin1')
}

/** Reads until `text` has been seen. */
export async function readUntil(socket: Socket, text: string): Promise<string> {
  let seen = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    seen += chunk.toString('latin1')
    if (seen.includes(text)) break
  }
  return seen
}
