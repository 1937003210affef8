import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { farewell } from './farewell.ts'

/** Two connected sockets with half-close, as the real ones have. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = await accepted
  server.close()
  return [near, far]
}

test('a client may take the last output as slowly as it likes, and stay for ten seconds after it', async (t) => {
  const [user, client] = await socketPair()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const size = 32 * 1024 * 1024
  farewell(client, Buffer.alloc(size, 'x'))
  t.mock.timers.tick(60_000)
  assert.equal(client.destroyed, false)
  const isFinished = once(client, 'finish')
  let received = 0
  user.on('data', (chunk: Buffer) => {
    received += chunk.byteLength
  })
  await once(user, 'end')
  assert.equal(received, size)
  await isFinished
  assert.equal(client.destroyed, false)
  t.mock.timers.tick(10_000)
  assert.equal(client.destroyed, true)
  user.destroy()
})

test('nothing is waited for when the client has gone, or has ended its side', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const [user, client] = await socketPair()
    client.on('error', () => undefined)
    const isClosed = new Promise((resolve) => client.once('close', resolve))
    user.resume()
    user[leave]()
    farewell(client, 'last words')
    await isClosed
    user.destroy()
  }
})
