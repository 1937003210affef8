import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => await daemon?.[Symbol.asyncDispose]())

test('the output of an exec does not come with the head of the answer, for clients that read past it', {
  skip,
}, async () => {
  await daemon.ok(['run', '-d', '--name', 'box', 'busybox', 'sleep', '300'])
  const exec = { Cmd: ['echo', 'inside'], AttachStdout: true }
  const created = await daemon.request('POST', '/containers/box/exec', exec)
  const { Id: id } = JSON.parse(created.text) as { Id: string }
  const socket = connect(daemon.socketPath)
  await once(socket, 'connect')
  const head = ['Host: d', 'Connection: Upgrade', 'Upgrade: tcp', 'Content-Type: application/json']
  socket.write(
    `POST /exec/${id}/start HTTP/1.1\r\n${head.join('\r\n')}\r\nContent-Length: 2\r\n\r\n{}`,
  )
  // The process has long written when this client reads for the first time.
  await delay(300)
  const chunks: string[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString('latin1')))
  await once(socket, 'close')
  assert.match(chunks[0] ?? '', /^HTTP\/1\.1 101 [^]*\r\n\r\n$/)
  assert.equal(chunks.slice(1).join(''), '\x01\0\0\0\0\0\0\x07inside\n')
})
