import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOptions } from './options.ts'

test('without arguments everything is measured', () => {
  const { runs, suites, engines, idle, json } = readOptions([])
  assert.deepEqual([runs, suites.length, engines.length, json], [15, 10, 5, undefined])
  assert.deepEqual(idle, [50, 200, 500])
})

test('what cannot be meant is refused before anything is made', () => {
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['--suites', 'run,nope', /no "nope", but run,/],
    ['--engines', 'x', /no "x", but ctr,/],
    ['--runs', '0', /"0" is no number/],
    ['--idle', '50,', /"" is no number/],
    ['--fast', 'x', /Unknown option '--fast'/],
  ]
  for (const [option, value, message] of wrong) {
    assert.throws(() => readOptions([option, value]), message)
  }
})
