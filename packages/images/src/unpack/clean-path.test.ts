import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cleanPath } from './clean-path.ts'

describe('cleanPath', () => {
  for (const [path, expected] of [
    ['a', 'a'],
    ['a/b.c/..d/.e', 'a/b.c/..d/.e'],
    ['/a//b/', 'a/b'],
    ['./a/./b', 'a/b'],
    ['./a', 'a'],
    ['.//a', 'a'],
    ['././a', 'a'],
    ['./..a', '..a'],
    ['a/../b', 'b'],
    ['a/b/../../c', 'c'],
    ['', ''],
    ['.', ''],
    ['./', ''],
    ['/', ''],
    ['a/..', ''],
    ['...', '...'],
  ] as const) {
    it(`${JSON.stringify(path)} is ${JSON.stringify(expected)}`, () => {
      assert.equal(cleanPath(path), expected)
    })
  }
  for (const path of ['..', '../a', 'a/../..', '/..', 'a/../../a', './..', './../a', './/..']) {
    it(`refuses ${path}`, () => assert.throws(() => cleanPath(path), { name: 'TarError' }))
  }
})
