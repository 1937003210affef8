import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { socketPair } from '@ctr/testkit'
import { farewell } from './farewell.ts'

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
