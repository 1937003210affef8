import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goRegexp, matchesAny } from './go-regexp.ts'

test('the syntax is that of Go', () => {
  assert.ok(goRegexp('(?i)^WEB').test('web1'))
  assert.ok(goRegexp('[[:alpha:]]1$').test('web1'))
  assert.ok(goRegexp('\\pL1').test('b1'))
  assert.ok(goRegexp('a.c').test('abc'))
  assert.ok(!goRegexp('a.c').test('ac'))
  assert.throws(() => goRegexp('p(?=1)'), {
    code: 'INVALID_ARGUMENT',
    message: /invalid or unsupported Perl syntax: `\(\?=`/,
  })
})

test('no pattern takes long', () => {
  const text = 'a'.repeat(5000)
  const before = process.cpuUsage()
  for (const pattern of ['(a+)+$b', '(a|a)*b', '(.*a){20}b'])
    assert.ok(!goRegexp(pattern).test(text))
  const { user } = process.cpuUsage(before)
  assert.ok(user < 20e6, `${user} µs of CPU`)
})

test('a value that is no pattern matches itself only', () => {
  assert.ok(!matchesAny(['['])('web'))
  assert.ok(matchesAny(['['])('['))
  assert.ok(matchesAny(['[', 'we'])('web'))
  assert.ok(!matchesAny(['x'])('web'))
})
