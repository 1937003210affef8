import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateName } from './names.ts'

test('a name is adjective_surname, with digits when that is taken', () => {
  assert.match(
    generateName(() => false),
    /^[a-z]+_[a-z]+$/,
  )
  const taken = new Set<string>()
  const first = generateName(
    (name) => taken.has(name),
    () => 0.5,
  )
  taken.add(first)
  assert.match(
    generateName(
      (name) => taken.has(name),
      () => 0.5,
    ),
    new RegExp(`^${first}\\d$`),
  )
})
