import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from './histogram.ts'

test('buckets are cumulative, and what is above all of them is counted', () => {
  const histogram = new Histogram('x_seconds', 'Help.', 'action', ['start', 'stop'])
  for (const seconds of [0.001, 0.005, 0.3, 100]) histogram.observe('start', seconds)
  const lines = histogram.render()
  assert.equal(lines[0], '# HELP x_seconds Help.')
  assert.equal(lines[1], '# TYPE x_seconds histogram')
  const value = (label: string): string | undefined =>
    lines.find((line) => line.startsWith(`x_seconds${label} `))?.split(' ')[1]
  assert.equal(value('_bucket{action="start",le="0.005"}'), '2')
  assert.equal(value('_bucket{action="start",le="0.25"}'), '2')
  assert.equal(value('_bucket{action="start",le="0.5"}'), '3')
  assert.equal(value('_bucket{action="start",le="10"}'), '3')
  assert.equal(value('_bucket{action="start",le="+Inf"}'), '4')
  assert.equal(value('_count{action="start"}'), '4')
  assert.equal(value('_sum{action="start"}'), '100.306')
  assert.equal(value('_count{action="stop"}'), '0')
})
