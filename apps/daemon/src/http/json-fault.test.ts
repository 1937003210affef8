import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonFault } from './json-fault.ts'

// What dockerd 20.10 answers; the last ones are of Docker 28.
const FAULTS: readonly [document: string, words: string][] = [
  ['{invalid', `invalid character 'i' looking for beginning of object key string`],
  ['{', 'unexpected EOF'],
  ['{"a"', 'unexpected EOF'],
  ['{"a":', 'unexpected EOF'],
  ['{"a":1', 'unexpected EOF'],
  ['{"a":1,}', `invalid character '}' looking for beginning of object key string`],
  ['{"a" 1}', `invalid character '1' after object key`],
  ['{"a":1 "b":2}', `invalid character '"' after object key:value pair`],
  ['{"a":{}]', `invalid character ']' after object key:value pair`],
  ['[1,', 'unexpected EOF'],
  ['[1 2]', `invalid character '2' after array element`],
  ['[1,]', `invalid character ']' looking for beginning of value`],
  ['nope', `invalid character 'o' in literal null (expecting 'u')`],
  ['tru', 'unexpected EOF'],
  ['trux', `invalid character 'x' in literal true (expecting 'e')`],
  [' x', `invalid character 'x' looking for beginning of value`],
  ['{"a":"b', 'unexpected EOF'],
  ['{"a":"\\q"}', `invalid character 'q' in string escape code`],
  ['{"a":"\\u12x4"}', `invalid character 'x' in \\u hexadecimal character escape`],
  ['{"a":"\n"}', `invalid character '\\n' in string literal`],
  ['{"a":-}', `invalid character '}' in numeric literal`],
  ['{"a":1.}', `invalid character '}' after decimal point in numeric literal`],
  ['{"a":1e}', `invalid character '}' in exponent of numeric literal`],
  ['{"a":01}', `invalid character '1' after object key:value pair`],
  ['{"a":-1.5e+3x}', `invalid character 'x' after object key:value pair`],
  [`{'a':1}`, `invalid character '\\'' looking for beginning of object key string`],
  ['{é}', `invalid character 'Ã' looking for beginning of object key string`],
  ['{} x', 'unexpected content after JSON'],
  ['{}{}', 'unexpected content after JSON'],
]

for (const [document, words] of FAULTS) {
  test(JSON.stringify(document), () => assert.equal(jsonFault(Buffer.from(document)), words))
}

test('a document that is nested deeply is no deeper call', () => {
  assert.equal(jsonFault(Buffer.from('['.repeat(1_000_000))), 'unexpected EOF')
})
