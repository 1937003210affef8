import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame } from '@ctr/api'
import { healthCheckOf } from './check.ts'
import { goDuration } from './go-duration.ts'
import { type Health, judge, nextIntervalNs, started, unwatched } from './health.ts'
import { ProbeOutput } from './output.ts'

const S = 1_000_000_000n

function result(exitCode: number, startNs = 100n * S): Parameters<typeof judge>[1] {
  return { startNs, endNs: startNs + S, exitCode, output: '' }
}

const NEW: Health = started(undefined)
const CHECK = { retries: 2, startPeriodNs: 0n }

test('absent durations and retries are those of Docker', () => {
  assert.deepEqual(healthCheckOf({ Healthcheck: { Test: ['CMD', 'true'] } }), {
    command: ['true'],
    intervalNs: 30n * S,
    timeoutNs: 30n * S,
    retries: 3,
    startPeriodNs: 0n,
    startIntervalNs: 5n * S,
  })
})

test('a shell command runs in the shell of the image', () => {
  const Healthcheck = { Test: ['CMD-SHELL', 'exit 0'] }
  assert.deepEqual(healthCheckOf({ Healthcheck })?.command, ['/bin/sh', '-c', 'exit 0'])
  const own = healthCheckOf({ Healthcheck, Shell: ['/bin/ash', '-c'] })
  assert.deepEqual(own?.command, ['/bin/ash', '-c', 'exit 0'])
})

test('NONE, no test, an empty command and an unknown kind are no check', () => {
  for (const Test of [['NONE'], [], ['CMD'], ['HTTP', '/']]) {
    assert.equal(healthCheckOf({ Healthcheck: { Test } }), undefined, Test.join())
  }
  assert.equal(healthCheckOf({ Healthcheck: { Interval: 1_000_000_000 } }), undefined)
  assert.equal(healthCheckOf({}), undefined)
})

test('one success makes a container healthy, as many failures as retries unhealthy', () => {
  const healthy = judge(NEW, result(0), CHECK, 0n)
  assert.equal(healthy.status, 'healthy')
  const once = judge(healthy, result(1), CHECK, 0n)
  assert.deepEqual([once.status, once.failingStreak], ['healthy', 1])
  const twice = judge(once, result(-1), CHECK, 0n)
  assert.deepEqual([twice.status, twice.failingStreak], ['unhealthy', 2])
  assert.deepEqual(judge(twice, result(0), CHECK, 0n).failingStreak, 0)
})

test('failures in the start period do not count until it was healthy once', () => {
  const check = { retries: 1, startPeriodNs: 60n * S }
  const excused = judge(NEW, result(1, 110n * S), check, 100n * S)
  assert.deepEqual([excused.status, excused.failingStreak], ['starting', 0])
  assert.equal(excused.log.length, 1)
  const healthy = judge(excused, result(0, 111n * S), check, 100n * S)
  assert.equal(judge(healthy, result(1, 112n * S), check, 100n * S).status, 'unhealthy')
  assert.equal(judge(NEW, result(1, 160n * S), check, 100n * S).status, 'unhealthy')
})

test('the log has the last five results and outlives a run', () => {
  let health = NEW
  for (let code = 1; code <= 7; code++) health = judge(health, result(code), CHECK, 0n)
  assert.deepEqual(
    health.log.map(({ exitCode }) => exitCode),
    [3, 4, 5, 6, 7],
  )
  const again = started(health)
  assert.deepEqual([again.status, again.failingStreak, again.log.length], ['starting', 0, 5])
  assert.equal(unwatched(judge(NEW, result(0), CHECK, 0n)).status, 'unhealthy')
})

test('the start interval holds while it starts, within the start period', () => {
  const check = { intervalNs: 30n * S, startIntervalNs: S, startPeriodNs: 10n * S }
  assert.equal(nextIntervalNs(NEW, check, 3n * S), S)
  assert.equal(nextIntervalNs(NEW, check, 10n * S), 30n * S)
  assert.equal(nextIntervalNs(judge(NEW, result(0), CHECK, 0n), check, 3n * S), 30n * S)
})

test('output keeps 4096 bytes of both streams and says that there was more', () => {
  const output = new ProbeOutput()
  output.push(encodeFrame(1, Buffer.from('out ')))
  output.push(encodeFrame(2, Buffer.from('err')))
  assert.equal(output.toString(), 'out err')
  const exact = new ProbeOutput()
  exact.push(encodeFrame(1, Buffer.alloc(4096, 'y')))
  assert.equal(exact.toString(), 'y'.repeat(4096))
  exact.push(encodeFrame(1, Buffer.from('z')))
  assert.equal(exact.toString(), `${'y'.repeat(4096)}...`)
})

test('durations are printed as Go prints them', () => {
  const cases: [bigint, string][] = [
    [0n, '0s'],
    [1_500n, '1.5µs'],
    [300_000_000n, '300ms'],
    [1_500_000n, '1.5ms'],
    [S, '1s'],
    [1_250_000_000n, '1.25s'],
    [90n * S, '1m30s'],
    [7200n * S, '2h0m0s'],
  ]
  for (const [ns, text] of cases) assert.equal(goDuration(ns), text)
})
