import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseForeignJson } from './foreign-json.ts'

/** More than a second of JSON.parse, or a few thousand levels that break what walks them. */
test('JSON made to take long is refused before it is parsed', () => {
  const half = 1_900_000
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['['.repeat(half), /^exceeded max depth$/],
    [`${'['.repeat(half)}${']'.repeat(half)}`, /^exceeded max depth$/],
    [`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`, /^exceeded max depth$/],
    [`[${'{},'.repeat(half / 2)}1]`, /^the document has more than 100000 values$/],
    [`[${'1,'.repeat(half)}1]`, /^the document has more than 100000 values$/],
    [`"${' '.repeat(4 << 20)}"`, /^the document is larger than 4194304 bytes$/],
    ['"'.repeat(half), /position 2/],
    [`"${'\\'.repeat(2 * half)}`, /Unterminated|position/],
  ]
  for (const [text, message] of cases) {
    assert.throws(() => parseForeignJson(Buffer.from(text)), { name: 'SyntaxError', message })
  }
})

test('brackets, commas and quotes in strings count for nothing', () => {
  const document = {
    '\\"[': ['['.repeat(200), ','.repeat(200_000), '\\', '"{', `${'\\'.repeat(9)}"[`],
    deep: JSON.parse(`${'['.repeat(90)}${']'.repeat(90)}`) as unknown,
  }
  assert.deepEqual(parseForeignJson(Buffer.from(JSON.stringify(document))), document)
})
