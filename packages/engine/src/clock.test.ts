import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from './clock.ts'

const DAY_MS = 86_400_000

test('a delay of more than 24 days, which is more than a timer of Node takes, is that long', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let calls = 0
  systemClock.after(60 * DAY_MS, () => calls++)
  const cancelled = systemClock.after(60 * DAY_MS, () => assert.fail('it was cancelled'))
  for (let day = 1; day < 60; day++) t.mock.timers.tick(DAY_MS)
  assert.equal(calls, 0)
  cancelled[Symbol.dispose]()
  for (let day = 60; day < 62; day++) t.mock.timers.tick(DAY_MS)
  assert.equal(calls, 1)
})
