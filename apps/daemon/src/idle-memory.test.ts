import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idleMemory } from './idle-memory.ts'

test('memory is given back in the first quiet interval after half a second of work', async () => {
  let now = 300
  const done: string[] = []
  const look = idleMemory({
    cpuMs: () => now,
    collect: async () => {
      now += 50
      done.push('collect')
    },
    trim: () => done.push('trim'),
  })
  const after = async (ms: number): Promise<boolean> => {
    now += ms
    return await look()
  }
  assert.equal(await after(0), false) // not much work until now
  assert.equal(await after(900), false) // busy
  assert.equal(await after(240), true)
  assert.deepEqual(done, ['collect', 'trim'])
  for (const ms of [0, 10, 200, 200]) assert.equal(await after(ms), false)
  assert.equal(await after(1000), false)
  assert.equal(await after(1000), false)
  assert.equal(await after(0), true)
  assert.equal(await after(0), false)
})
