import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { ask, raw, socketPath } from './http-fixture.ts'

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
    assert.equal(answer.text, '{"message":"page not found"}\n')
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
    [
      '{"Size":9223372036854775808}',
      'invalid JSON: cannot unmarshal number 9223372036854775808 into field Size of type int64',
    ],
    [`{"x":${'['.repeat(1_000_000)}`, 'invalid JSON: exceeded max depth'],
    ['[]', 'invalid JSON: the document must be an object, not a list'],
    ['', 'invalid JSON: got EOF while reading request body'],
  ]
  for (const [body, message] of cases) {
    const answer = await ask('POST', '/echo', body)
    assert.equal(answer.status, 400, body)
    assert.ok(answer.message.startsWith(message), answer.message)
  }
})

test('an integer of 63 bits is taken, and a long one in a text is none', async () => {
  for (const body of ['{"Size":9223372036854775807}', '{"Name":"9223372036854775808"}']) {
    assert.equal((await ask('POST', '/echo', body)).status, 200, body)
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
  for (const type of ['', 'json', 'application/json,']) {
    const answer = await ask('POST', '/echo', '{}', { 'content-type': type })
    assert.deepEqual([answer.status, /Content-Type header/.test(answer.message ?? '')], [400, true])
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
  assert.match(answer, /{"message":"Request body is too large"}\n$/)
})

test('headers of 10 MB are refused with 431', async () => {
  const answer = await raw(`GET /_ping HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(10_000_000)}\r\n\r\n`)
  assert.match(answer, /^HTTP\/1.1 431 /)
  assert.match(answer, /{"message":"the headers are larger than 1048576 bytes"}\n$/)
  assert.equal((await ask('GET', '/_ping')).status, 200)
})

test('a head of many small headers is none that is too large', async () => {
  const headers = Array.from({ length: 5000 }, (_, index) => `X-${index}: a\r\n`)
  const answer = await raw(
    `GET /_ping HTTP/1.1\r\nHost: x\r\n${headers.join('')}Connection: close\r\n\r\n`,
  )
  assert.match(answer, /^HTTP\/1.1 200 /)
})

test('what is not HTTP is a 400', async () => {
  for (const bytes of ['hello\r\n\r\n', 'GET /a\0b HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01']) {
    const answer = await raw(bytes)
    assert.match(answer, /^HTTP\/1.1 400 /)
    assert.match(answer, /{"message":"malformed HTTP request/)
  }
})

for (const path of ['/taste', '/first', '/gunzip']) {
  test(`a client that reads only when it has sent all learns why its body was refused by ${path}`, async () => {
    const socket = connect(socketPath)
    const sent = Promise.withResolvers<void>()
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n`)
    socket.write(Buffer.alloc(16 << 20), (error) => (error ? sent.reject(error) : sent.resolve()))
    socket.on('error', sent.reject)
    await sent.promise
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1.1 400 [^]*no archive/)
    socket.destroy()
  })
}

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
