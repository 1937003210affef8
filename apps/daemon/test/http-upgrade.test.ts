import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { waitFor } from '@ctr/testkit'
import { WebSocket } from 'ws'
import { ask, attachReads, listener, raw, readAll, readUntil, socketPath } from './http-fixture.ts'

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

for (const header of ['', 'Content-Length: 0', 'Connection: close']) {
  test(`an old client with ${header || 'no header'} may speak as soon as it has the answer`, async (t) => {
    const accepted = once(listener, 'connection')
    const socket = connect({ path: socketPath, allowHalfOpen: true })
    const [served] = (await accepted) as [Socket]
    const reads = Promise.withResolvers<void>()
    attachReads.after = reads.promise
    t.after(() => reads.resolve())
    const request = `POST /containers/a/attach HTTP/1.1\r\nHost: x\r\n${header && `${header}\r\n`}\r\n`
    socket.write(request)
    const head = await readUntil(socket, '\r\n\r\n')
    assert.equal(head, 'HTTP/1.1 200 OK\r\nContent-Type: application/x-test\r\n\r\n')
    socket.end('first words')
    await waitFor('them to arrive', () => served.bytesRead === request.length + 11)
    reads.resolve()
    assert.equal(await readAll(socket), 'tty=false;first wordsbye')
  })
}

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
