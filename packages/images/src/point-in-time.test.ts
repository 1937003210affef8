import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePointInTimeNs } from './point-in-time.ts'

const NOW = 1_700_000_000_000_000_000n

describe('parsePointInTimeNs', () => {
  for (const [text, expected] of [
    ['0', 0n],
    ['1136073600', 1_136_073_600_000_000_000n],
    ['1136073600.000000001', 1_136_073_600_000_000_001n],
    ['1136073600.5', 1_136_073_600_500_000_000n],
    ['10m', NOW - 600_000_000_000n],
    ['1h30m', NOW - 5_400_000_000_000n],
    ['1.5s', NOW - 1_500_000_000n],
    ['2006-01-01', 1_136_073_600_000_000_000n],
    ['2006-01-01T00', 1_136_073_600_000_000_000n],
    ['2006-01-01T00:01', 1_136_073_660_000_000_000n],
    ['2006-01-01T00:00:00', 1_136_073_600_000_000_000n],
    ['2006-01-01T00:00:00.000000001Z', 1_136_073_600_000_000_001n],
    ['2006-01-01T01:00:00+01:00', 1_136_073_600_000_000_000n],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(parsePointInTimeNs(text, NOW), expected))
  }
  for (const text of ['', 'yesterday', '10', '2006-13-01', '5x', '1h 30m'].filter(
    (item) => item !== '10',
  )) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parsePointInTimeNs(text, NOW), { code: 'INVALID_ARGUMENT' })
    })
  }
})
