import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseSize } from './size.ts'

it('reads sizes as Docker does', () => {
  const cases: [string, number | undefined][] = [
    ['1024', 1024],
    ['1k', 1024],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['30000K', 30000 * 1024],
    ['2 mb', 2 << 20],
    ['', undefined],
    ['-1', undefined],
    ['xx', undefined],
    ['1q', undefined],
    ['99999999p', undefined],
  ]
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text)
})
