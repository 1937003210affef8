import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type FinishedRun,
  nextRestart,
  parseRestartPolicy,
  startsWithEngine,
} from './restart-policy.ts'

const RUN: FinishedRun = {
  exitCode: 1,
  durationMs: 50,
  restartCount: 0,
  previousDelayMs: 0,
  isManuallyStopped: false,
  isCancelled: false,
}
const ALWAYS = parseRestartPolicy({ Name: 'always' })
const TWICE = parseRestartPolicy({ Name: 'on-failure', MaximumRetryCount: 2 })

describe('restart policies', () => {
  test('the delay doubles from 100 ms to a minute', () => {
    const delays: number[] = []
    for (let previousDelayMs = 0; delays.length < 12; ) {
      previousDelayMs = nextRestart(ALWAYS, { ...RUN, previousDelayMs }) ?? -1
      delays.push(previousDelayMs)
    }
    assert.deepEqual(
      delays,
      [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000],
    )
  })

  test('a run of ten seconds begins a new series', () => {
    assert.equal(nextRestart(ALWAYS, { ...RUN, previousDelayMs: 6400, durationMs: 9_999 }), 12_800)
    assert.equal(nextRestart(ALWAYS, { ...RUN, previousDelayMs: 6400, durationMs: 10_000 }), 100)
  })

  test('no policy, a stop by the user and a success under on-failure end it', () => {
    assert.equal(nextRestart(parseRestartPolicy({ Name: 'no' }), RUN), undefined)
    assert.equal(nextRestart(parseRestartPolicy(undefined), RUN), undefined)
    assert.equal(nextRestart(ALWAYS, { ...RUN, isCancelled: true }), undefined)
    assert.equal(nextRestart(TWICE, { ...RUN, exitCode: 0 }), undefined)
    const unless = parseRestartPolicy({ Name: 'unless-stopped' })
    assert.equal(nextRestart(unless, { ...RUN, isManuallyStopped: true }), undefined)
    assert.equal(nextRestart(unless, RUN), 100)
  })

  test('on-failure:2 restarts twice, on-failure without a number for ever', () => {
    assert.equal(nextRestart(TWICE, { ...RUN, restartCount: 1 }), 100)
    assert.equal(nextRestart(TWICE, { ...RUN, restartCount: 2 }), undefined)
    const endless = parseRestartPolicy({ Name: 'on-failure' })
    assert.equal(nextRestart(endless, { ...RUN, restartCount: 1000 }), 100)
  })

  test('with the engine starts what ran before and was not stopped', () => {
    const container = {
      hasStartedBefore: true,
      isManuallyStopped: false,
      exitCode: 0,
      restartCount: 0,
    }
    const stopped = { ...container, isManuallyStopped: true }
    const unless = parseRestartPolicy({ Name: 'unless-stopped' })
    assert.equal(startsWithEngine(ALWAYS, stopped), true)
    assert.equal(startsWithEngine(unless, stopped), false)
    assert.equal(startsWithEngine(unless, container), true)
    assert.equal(startsWithEngine(TWICE, container), false)
    assert.equal(startsWithEngine(TWICE, { ...container, exitCode: 1 }), true)
    assert.equal(startsWithEngine(ALWAYS, { ...container, hasStartedBefore: false }), false)
  })
})

test('an own delay begins, grows and ends as asked', () => {
  const policy = parseRestartPolicy({
    Name: 'always',
    MinimumDelay: 2_000_000_000,
    MaximumDelay: 5_000_000_000,
    DelayFactor: 150,
  })
  const delays: number[] = []
  for (let previousDelayMs = 0; delays.length < 4; ) {
    const delay = nextRestart(policy, {
      exitCode: 1,
      durationMs: 10,
      restartCount: delays.length,
      previousDelayMs,
      isManuallyStopped: false,
      isCancelled: false,
    })
    assert.ok(delay !== undefined)
    delays.push(delay)
    previousDelayMs = delay
  }
  assert.deepEqual(delays, [2000, 3000, 4500, 5000])
})
