import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DetachScanner, parseDetachKeys } from './detach-keys.ts'

/** Feeds `chunks` one by one and says what came through. */
function scan(keys: string, ...chunks: string[]): { input: string; detached: boolean } {
  const scanner = new DetachScanner(parseDetachKeys(keys))
  let input = ''
  for (const chunk of chunks) {
    const result = scanner.push(Buffer.from(chunk, 'latin1'))
    input += Buffer.from(result.input).toString('latin1')
    if (result.detached) return { input, detached: true }
  }
  input += Buffer.from(scanner.end()).toString('latin1')
  return { input, detached: false }
}

test('keys are letters and control characters', () => {
  assert.deepEqual(parseDetachKeys(undefined), [16, 17])
  assert.deepEqual(parseDetachKeys('ctrl-a,d'), [1, 100])
  assert.deepEqual(
    parseDetachKeys('ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_'),
    [0, 27, 28, 29, 30, 31],
  )
  for (const bad of ['ctrl-A', 'ctrl-', 'ctrl-pp', 'ab', 'ctrl-p,', 'é']) {
    assert.throws(() => parseDetachKeys(bad), { message: `Invalid detach keys (${bad}) provided` })
  }
})

test('the whole sequence detaches, also in pieces', () => {
  assert.deepEqual(scan('', 'ls\n\x10\x11more'), { input: 'ls\n', detached: true })
  assert.deepEqual(scan('', 'a\x10', '\x11'), { input: 'a', detached: true })
})

test('a beginning that is not continued is passed on', () => {
  assert.deepEqual(scan('', '\x10x'), { input: '\x10x', detached: false })
  assert.deepEqual(scan('', '\x10', 'x', '\x11'), { input: '\x10x\x11', detached: false })
  assert.deepEqual(scan('', '\x10'), { input: '\x10', detached: false })
})

test('a repeated first key begins anew', () => {
  assert.deepEqual(scan('', '\x10\x10\x11'), { input: '\x10', detached: true })
})

test('other bytes come through unchanged', () => {
  const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
  assert.deepEqual(scan('ctrl-a,ctrl-a,z', bytes), { input: bytes, detached: false })
})
