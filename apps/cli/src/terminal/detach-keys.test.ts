import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_DETACH_KEYS, DetachKeyFilter, parseDetachKeys } from './detach-keys.ts'

function type(keys: string, ...chunks: string[]): { passed: string; detached: boolean } {
  const filter = new DetachKeyFilter(parseDetachKeys(keys))
  let passed = ''
  for (const chunk of chunks) {
    const { bytes, isDetached } = filter.push(Buffer.from(chunk, 'latin1'))
    passed += Buffer.from(bytes).toString('latin1')
    if (isDetached) return { passed, detached: true }
  }
  return { passed, detached: false }
}

describe('DetachKeyFilter', () => {
  it('finds the keys in one chunk and across chunks', () => {
    assert.deepEqual(type(DEFAULT_DETACH_KEYS, 'ab\x10\x11cd'), { passed: 'ab', detached: true })
    assert.deepEqual(type(DEFAULT_DETACH_KEYS, 'ab\x10', '\x11'), { passed: 'ab', detached: true })
  })
  it('gives back keys that were not the sequence', () => {
    assert.deepEqual(type(DEFAULT_DETACH_KEYS, '\x10', 'x'), { passed: '\x10x', detached: false })
    assert.deepEqual(type(DEFAULT_DETACH_KEYS, '\x10\x10\x11'), { passed: '\x10', detached: true })
  })
  it('holds back what may become the sequence', () => {
    assert.deepEqual(type(DEFAULT_DETACH_KEYS, 'a\x10'), { passed: 'a', detached: false })
  })
  it('takes a single letter', () =>
    assert.deepEqual(type('x', 'abxc'), { passed: 'ab', detached: true }))
  it('passes binary bytes unchanged', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
    assert.deepEqual(
      type('ctrl-p,ctrl-q', all.replace('\x10\x11', '')).passed,
      all.replace('\x10\x11', ''),
    )
  })
})

describe('parseDetachKeys', () => {
  it('knows control keys', () => {
    assert.deepEqual([...parseDetachKeys('ctrl-a,ctrl-@,ctrl-[,ctrl-_,z')], [1, 0, 27, 31, 122])
  })
  it('refuses anything else', () =>
    assert.throws(() => parseDetachKeys('foo'), /Unknown character: 'foo'/))
})
