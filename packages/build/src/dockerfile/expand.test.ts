import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandWord, expandWords } from './expand.ts'

const ENV = new Map([
  ['A', 'a'],
  ['EMPTY', ''],
  ['WORDS', 'one two'],
  ['NEXT', '$A'],
])

const CASES: readonly [text: string, expected: string][] = [
  ['$A', 'a'],
  ['x${A}y', 'xay'],
  ['$NONE.', '.'],
  ['$', '$'],
  ['a$', 'a$'],
  ["'$A'", '$A'],
  ['"$A"', 'a'],
  ['"\'$A\'"', "'a'"],
  ['\\$A', '$A'],
  ['"\\$A \\x \\""', '$A \\x "'],
  ['a\\ b', 'a b'],
  ['${A:-b}', 'a'],
  ['${EMPTY:-b}', 'b'],
  ['${NONE:-$A$A}', 'aa'],
  ['${NONE:-${EMPTY:-c}}', 'c'],
  ['${A:+b}', 'b'],
  ['${EMPTY:+b}', ''],
  ['${A:?no}', 'a'],
  ['$NEXT', '$A'],
  ['é${A}é', 'éaé'],
  ['${10}$10.', '.'],
]
for (const [text, expected] of CASES) {
  test(`${text} is ${expected}`, () => {
    assert.equal(expandWord(text, ENV, '\\'), expected)
  })
}

const WRONG: readonly [text: string, message: RegExp][] = [
  ['${A', /failed to process "\$\{A": missing ':' in substitution/],
  ['${', /missing '}'/],
  ['${}', /bad substitution/],
  ['${A:-b', /missing '}'/],
  ['${A:*b}', /unsupported modifier \(\*\) in substitution/],
  ['${NONE:?gone}', /NONE: gone/],
  ["'a", /looking for matching single-quote/],
  ['"a', /looking for matching double-quote/],
  ['${A:-'.repeat(100_000), /too deep/],
]
for (const [text, message] of WRONG) {
  test(`${text.slice(0, 20)} is refused`, () => {
    assert.throws(() => expandWord(text, ENV, '\\'), message)
  })
}

test('another escape leaves backslashes alone', () => {
  assert.equal(expandWord('C:\\dir`$A', ENV, '`'), 'C:\\dir$A')
})

test('a variable may be several words, unless it is quoted', () => {
  assert.deepEqual(expandWords('$WORDS', ENV, '\\'), ['one', 'two'])
  assert.deepEqual(expandWords('"$WORDS"', ENV, '\\'), ['one two'])
})
