import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { after, before, test } from 'node:test'
import { Type } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { WebSocket } from 'ws'
import type { Context } from '../src/context.ts'
import { route } from '../src/http/route.ts'
import { buildApiServer } from '../src/http/server.ts'
import { openLog } from '../src/log.ts'
import { headPingRoute, pingRoute } from '../src/routes/system/ping.ts'

const directory = mkdtempSync(join(tmpdir(), 'ctr-daemon-http-'))
const socketPath = join(directory, 's')

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

const listener = await buildApiServer({
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

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly message: string
}

function ask(
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
async function raw(bytes: string | Buffer): Promise<string> {
  const socket = connect(socketPath)
  socket.write(bytes)
  return await readAll(socket)
}

async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of socket) chunks.push(chunk)
  } catch {
    // A reset after the answer is the server's right.
  }
  return Buffer.concat(chunks).toString('latin1')
}

/** Reads until `text` has been seen. */
async function readUntil(socket: Socket, text: string): Promise<string> {
  let seen = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    seen += chunk.toString('latin1')
    if (seen.includes(text)) break
  }
  return seen
}

test('ping says what the daemon speaks', async () => {
  for (const method of ['GET', 'HEAD']) {
    const answer = await ask(method, '/_ping')
    assert.equal(answer.status, 200)
    assert.equal(answer.text, method === 'GET' ? 'OK' : '')
    assert.equal(answer.headers['api-version'], '1.51')
    assert.equal(answer.headers['ostype'], 'linux')
    assert.equal(answer.headers['docker-experimental'], 'true')
    assert.equal(answer.headers['builder-version'], '1')
    assert.equal(answer.headers['cache-control'], 'no-cache, no-store, must-revalidate')
    assert.match(String(answer.headers['server']), /^ctr\/[0-9.]+ \(linux\)$/)
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
  }
})

test('versions inside the window are served, others refused', async () => {
  const old = await ask('POST', '/v1.24/echo', '{}')
  assert.equal(JSON.parse(old.text).apiMinor, 24)
  const unversioned = await ask('POST', '/echo', '{}')
  assert.equal(JSON.parse(unversioned.text).apiMinor, 51)
  const tooNew = await ask('GET', '/v1.99/_ping')
  assert.equal(tooNew.status, 400)
  assert.equal(
    tooNew.message,
    'client version 1.99 is too new. Maximum supported API version is 1.51',
  )
  assert.equal((await ask('GET', '/v1.12/_ping')).status, 400)
})

test('an unknown path or method is not found', async () => {
  for (const [method, path] of [
    ['GET', '/nosuch'],
    ['DELETE', '/_ping'],
    ['GET', '/'],
    ['GET', '/v1.44'],
  ] as const) {
    const answer = await ask(method, path)
    assert.equal(answer.status, 404, path)
    assert.equal(answer.text, '{"message":"page not found"}')
    assert.equal(answer.headers['content-type'], 'application/json')
  }
})

test('an id may hold slashes and odd bytes', async () => {
  for (const [path, id] of [
    ['a/b', 'a/b'],
    ['..%2f..%2fetc', '../../etc'],
    ['a%00b', 'a\0b'],
    [`${'x'.repeat(5000)}`, 'x'.repeat(5000)],
  ] as const) {
    const answer = await ask('GET', `/containers/${path}/json`)
    assert.equal(answer.status, 404)
    assert.equal(answer.message, `No such container: ${id}`)
  }
  const broken = await ask('GET', '/containers/%zz/json')
  assert.equal(broken.status, 400)
  assert.ok(broken.message.includes('%zz'))
})

test('not modified has no body', async () => {
  const answer = await ask('POST', '/containers/a/start')
  assert.equal(answer.status, 304)
  assert.equal(answer.text, '')
})

test('a bug is a 500 with its message, and the daemon goes on', async () => {
  const answer = await ask('GET', '/crash')
  assert.equal(answer.status, 500)
  assert.equal(answer.message, 'a bug')
  assert.equal(answer.headers['content-type'], 'application/json')
  assert.equal((await ask('GET', '/_ping')).status, 200)
})

test('broken and wrong JSON is a 400 that names the fault', async () => {
  const cases: [string, string][] = [
    ['{"Name":', 'invalid JSON: '],
    ['{"Name":1}', 'invalid JSON: Name must be a string, not a number'],
    ['{"Size":"1"}', 'invalid JSON: Size must be an integer, not a string'],
    ['[]', 'invalid JSON: the document must be an object, not a list'],
    ['', 'invalid JSON: got EOF while reading request body'],
  ]
  for (const [body, message] of cases) {
    const answer = await ask('POST', '/echo', body)
    assert.equal(answer.status, 400, body)
    assert.ok(answer.message.startsWith(message), answer.message)
  }
})

test('unknown fields are ignored and null is absent', async () => {
  const answer = await ask('POST', '/echo', '{"name":"x","Size":null,"More":{"a":1},"__proto__":1}')
  assert.deepEqual(JSON.parse(answer.text).body, { Name: 'x' })
})

test('a body of another content type is refused', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    const answer = await ask('POST', '/echo', '{}', { 'content-type': type })
    assert.equal(answer.status, 400)
    assert.equal(
      answer.message,
      `unsupported Content-Type header (${type}): must be 'application/json'`,
    )
  }
  const charset = await ask('POST', '/echo', '{}', {
    'content-type': 'application/json; charset=utf-8',
  })
  assert.equal(charset.status, 200)
})

test('query values are parsed as Go does', async () => {
  const good = await ask('POST', '/echo?n=-3&flag=True&all=a&all=b', '{}')
  assert.deepEqual(JSON.parse(good.text).query, { n: -3, flag: true, all: ['a', 'b'] })
  const off = await ask('POST', '/echo?flag=0', '{}')
  assert.deepEqual(JSON.parse(off.text).query, { flag: false, all: [] })
  const bad = await ask('POST', '/echo?n=x', '{}')
  assert.equal(bad.status, 400)
  assert.equal(bad.message, 'invalid value for n: strconv.Atoi: parsing "x": invalid syntax')
})

test('a body of 10 MB is refused with 413', async () => {
  const body = Buffer.concat([
    Buffer.from('{"Name":"'),
    Buffer.alloc(10_000_000, 'x'),
    Buffer.from('"}'),
  ])
  const answer = await raw(
    Buffer.concat([
      Buffer.from(
        `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.byteLength}\r\n\r\n`,
      ),
      body,
    ]),
  )
  assert.match(answer, /^HTTP\/1.1 413 /)
  assert.match(answer, /{"message":"Request body is too large"}$/)
})

test('headers of 10 MB are refused with 431', async () => {
  const answer = await raw(`GET /_ping HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(10_000_000)}\r\n\r\n`)
  assert.match(answer, /^HTTP\/1.1 431 /)
  assert.match(answer, /{"message":"the headers are larger than 1048576 bytes"}$/)
  assert.equal((await ask('GET', '/_ping')).status, 200)
})

test('what is not HTTP is a 400', async () => {
  for (const bytes of ['hello\r\n\r\n', 'GET /a\0b HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01']) {
    const answer = await raw(bytes)
    assert.match(answer, /^HTTP\/1.1 400 /)
    assert.match(answer, /{"message":"malformed HTTP request/)
  }
})

test('an upgrade hands the connection over, with half-close', async () => {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  socket.write(
    'POST /containers/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n' +
      'Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"Tty":true}early;',
  )
  const head = await readUntil(socket, 'early;')
  assert.equal(
    head,
    'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/x-test\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\ntty=true;early;',
  )
  socket.end('late')
  assert.equal(await readAll(socket), 'latebye')
})

test('the body of an upgrade may come in pieces', async () => {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  socket.write(
    'POST /containers/a/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nHost: x\r\n' +
      'Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"Tty"',
  )
  await new Promise((resolve) => setImmediate(resolve))
  socket.write(':true}')
  assert.match(await readUntil(socket, 'tty=true;'), /^HTTP\/1.1 101 /)
  socket.end()
  assert.equal(await readAll(socket), 'bye')
})

test('an old client without Upgrade gets a bare connection', async () => {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  socket.write('POST /containers/a/attach HTTP/1.1\r\nHost: x\r\n\r\n')
  const head = await readUntil(socket, 'tty=false;')
  assert.equal(head, 'HTTP/1.1 200 OK\r\nContent-Type: application/x-test\r\n\r\ntty=false;')
  socket.end('GET / HTTP/1.1\r\n\r\n')
  assert.equal(await readAll(socket), 'GET / HTTP/1.1\r\n\r\nbye')
})

test('Upgrade without Connection is an upgrade too, as for Go clients of dockerd', async () => {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  socket.write(
    'POST /containers/a/attach HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\n' +
      'Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"Tty":true}',
  )
  const head = await readUntil(socket, 'tty=true;')
  assert.equal(
    head,
    'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/x-test\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\ntty=true;',
  )
  socket.end('late')
  assert.equal(await readAll(socket), 'latebye')
})

test('an error before the upgrade is an ordinary answer', async () => {
  const answer = await raw(
    'POST /containers/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n' +
      'Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{"a',
  )
  assert.match(answer, /^HTTP\/1.1 400 Bad Request\r\n/)
  assert.match(answer, /{"message":"invalid JSON: /)
})

test('who is refused an upgrade, sends on and goes leaves no connection behind', async () => {
  const upgrade = 'HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n'
  const requests = [
    `POST /nonesuch ${upgrade}\r\n`,
    `POST /containers/a/attach ${upgrade}Content-Length: 99999999\r\n\r\n`,
    `POST /containers/a/attach ${upgrade}Transfer-Encoding: chunked\r\n\r\n`,
  ]
  for (const request of requests) {
    const accepted = once(listener, 'connection')
    const socket = connect(socketPath)
    socket.on('error', () => undefined)
    const [served] = (await accepted) as [Socket]
    const closed = new Promise((resolve) => served.once('close', resolve))
    socket.write(request)
    socket.write(Buffer.alloc(300_000, 'x'))
    assert.match(await readUntil(socket, '"message"'), /^HTTP\/1.1 40[04] /)
    socket.destroy()
    await closed
  }
})

test('an upgrade to HTTP/2 is not taken up', async () => {
  const answer = await ask('GET', '/_ping', undefined, {
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: 'h2c',
    'http2-settings': 'AAMAAABkAAQAAP__',
  })
  assert.equal(answer.status, 200)
})

test('a WebSocket carries bytes both ways', async () => {
  const webSocket = new WebSocket(`ws+unix://${socketPath}:/v1.44/containers/a/attach/ws`)
  await once(webSocket, 'open')
  webSocket.send(Buffer.from([0, 255, 10]))
  const [bytes, isBinary] = await once(webSocket, 'message')
  assert.deepEqual([...bytes], [0, 255, 10])
  assert.equal(isBinary, true)
  webSocket.close()
  const [code] = await once(webSocket, 'close')
  assert.ok([1000, 1005].includes(code), String(code))
})

test('output of unknown length ends a WebSocket, or the answer', async () => {
  const webSocket = new WebSocket(`ws+unix://${socketPath}:/lines`)
  const [bytes] = await once(webSocket, 'message')
  assert.equal(bytes.toString(), '{"a":1}\n')
  const [code] = await once(webSocket, 'close')
  assert.equal(code, 1000)
  const answer = await ask('GET', '/lines')
  assert.equal(answer.headers['content-type'], 'application/json')
  assert.equal(answer.text, '{"a":1}\n')
})

test('an error before the handshake of a WebSocket is an ordinary answer', async () => {
  const handshake = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  const missing = await ask('GET', '/containers/none/attach/ws', undefined, handshake)
  assert.equal(missing.status, 404)
  assert.equal(missing.message, 'No such container: none')
  const version = await ask('GET', '/v1.99/lines', undefined, handshake)
  assert.equal(version.status, 400)
  const notOne = await ask('GET', '/_ping', undefined, handshake)
  assert.equal(notOne.status, 400)
  assert.equal(notOne.message, '/_ping cannot be a WebSocket')
  const plain = await ask('GET', '/containers/a/attach/ws', undefined, {})
  assert.equal(plain.message, 'this endpoint needs a WebSocket')
  const noKey = await ask('GET', '/lines', undefined, { ...handshake, 'sec-websocket-key': 'x' })
  assert.equal(noKey.status, 400)
  assert.equal((await ask('GET', '/lines')).status, 200)
})

test('an error after the headers breaks the stream off', async () => {
  await assert.rejects(ask('GET', '/lines?fail=1'))
  const webSocket = new WebSocket(`ws+unix://${socketPath}:/lines?fail=1`)
  const [code, reason] = await once(webSocket, 'close')
  assert.equal(code, 1011)
  assert.equal(reason.toString(), 'broken on the way')
})

test('clients that vanish at any point harm nobody', async () => {
  const beginnings = [
    'POST /ec',
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    'POST /containers/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 9\r\n\r\n{',
    'POST /containers/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    'POST /containers/a/attach HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /lines HTTP/1.1\r\nHost: x\r\n\r\n',
  ]
  for (const bytes of beginnings) {
    const socket = connect(socketPath)
    await new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
    socket.destroy()
  }
  assert.equal((await ask('GET', '/_ping')).status, 200)
})
