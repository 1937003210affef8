import assert from 'node:assert/strict'
import { test } from 'node:test'
import { booleanFilter, formatFilters, parseFilters } from './filters.ts'

const ACCEPTED = ['status', 'label', 'dangling']

test('both forms are read', () => {
  const expected = new Map([['status', ['running', 'exited']]])
  assert.deepEqual(parseFilters('{"status":["running","exited"]}', ACCEPTED), expected)
  assert.deepEqual(
    parseFilters('{"status":{"running":true,"paused":false,"exited":true}}', ACCEPTED),
    expected,
  )
  assert.deepEqual(parseFilters(undefined, ACCEPTED), new Map())
  assert.deepEqual(parseFilters('', ACCEPTED), new Map())
})

test('what is written is what was read', () => {
  const filters = new Map([
    ['label', ['a=b', 'c']],
    ['status', ['running']],
  ])
  assert.deepEqual(parseFilters(formatFilters(filters), ACCEPTED), filters)
})

test('an unknown key is refused by name', () => {
  for (const text of ['{"bad":["x"]}', '{"bad":{"x":true}}', '{"__proto__":["x"]}']) {
    assert.throws(() => parseFilters(text, ACCEPTED), {
      code: 'INVALID_ARGUMENT',
      message: /^invalid filter '(bad|__proto__)'$/,
    })
  }
})

test('what is not a filter document is refused', () => {
  for (const text of ['x', '[]', '1', 'null', '{"status":1}', '{"status":[1]}', '{"status":"a"}']) {
    assert.throws(() => parseFilters(text, ACCEPTED), { code: 'INVALID_ARGUMENT' }, text)
  }
})

test('a boolean filter has one value', () => {
  const value = (...values: string[]): boolean | undefined =>
    booleanFilter(new Map([['dangling', values]]), 'dangling')
  assert.equal(value('true'), true)
  assert.equal(value('1'), true)
  assert.equal(value('False'), false)
  assert.equal(value(), undefined)
  assert.equal(booleanFilter(new Map(), 'dangling'), undefined)
  assert.throws(() => value('true', 'false'), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => value('maybe'), {
    message: "invalid filter 'dangling=[maybe]'",
  })
})
