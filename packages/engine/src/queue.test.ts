import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SerialQueues } from './queue.ts'

test('jobs of one key run one after the other, a failure does not stop them; keys are apart', async () => {
  const queues = new SerialQueues()
  const order: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = queues.run('a', async () => {
    await gate.promise
    order.push('a1')
    throw new Error('a1 failed')
  })
  const second = queues.run('a', () => {
    order.push('a2')
    return 'result'
  })
  await queues.run('b', () => order.push('b'))
  gate.resolve()
  await assert.rejects(first, /a1 failed/)
  assert.equal(await second, 'result')
  await queues.idle()
  assert.deepEqual(order, ['b', 'a1', 'a2'])
})
