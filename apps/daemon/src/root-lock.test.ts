// needs: root
import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { requires } from '@ctr/testkit'
import { lockRoot, takeEntries } from './root-lock.ts'

describe('a root', { skip: requires({ root: true }) }, () => {
  let parent: string
  let directory: string
  beforeEach(() => {
    parent = mkdtempSync('/tmp/ctr-root-lock-')
    directory = join(parent, 'root')
  })
  afterEach(() => rmSync(parent, { recursive: true }))

  const prepared = (mode: number, uid: number): string => {
    mkdirSync(directory)
    chownSync(directory, uid, uid)
    chmodSync(directory, mode)
    using _lock = lockRoot(directory)
    const stats = statSync(directory)
    return `${stats.uid}:${stats.gid} ${(stats.mode & 0o7777).toString(8)}`
  }

  test('of somebody else, or that others may write to, becomes ours', () => {
    assert.equal(prepared(0o777, 1000), '0:0 755')
  })

  test('of ours stays as it is', () => {
    assert.equal(prepared(0o750, 0), '0:0 750')
  })

  test('that belongs to everybody stays so', () => {
    assert.equal(prepared(0o1777, 0), '0:0 1777')
  })

  test('takes what is its own, and says what it was', () => {
    mkdirSync(join(directory, 'content/blobs'), { recursive: true })
    mkdirSync(join(directory, 'containers/1'), { recursive: true })
    mkdirSync(join(directory, 'foreign'))
    writeFileSync(join(directory, 'ctr.db'), '')
    for (const name of ['containers', 'containers/1', 'ctr.db', 'foreign']) {
      chownSync(join(directory, name), 1000, 1000)
    }
    chmodSync(join(directory, 'content/blobs'), 0o777)
    const taken = ['containers', 'content/blobs', 'ctr.db'].map((name) => join(directory, name))
    assert.deepEqual(takeEntries(directory), taken)
    assert.deepEqual(takeEntries(directory), [])
    assert.equal(statSync(join(directory, 'containers')).uid, 0)
    assert.equal(statSync(join(directory, 'content/blobs')).mode & 0o777, 0o755)
    // A container's own files may be anybody's.
    assert.equal(statSync(join(directory, 'containers/1')).uid, 1000)
    assert.equal(statSync(join(directory, 'foreign')).uid, 1000)
  })

  test('follows links of root only', () => {
    mkdirSync(join(directory, 'elsewhere'), { recursive: true })
    chownSync(join(directory, 'elsewhere'), 1000, 1000)
    const link = join(directory, 'volumes')
    symlinkSync(join(directory, 'elsewhere'), link)
    assert.deepEqual(takeEntries(directory), [link])
    assert.equal(statSync(join(directory, 'elsewhere')).uid, 0)
    lchownSync(link, 1000, 1000)
    assert.throws(() => takeEntries(directory), /volumes is a link made by user 1000: remove it/)
  })

  test('is not locked by the file that a link leads to', () => {
    const file = join(parent, 'file')
    writeFileSync(file, 'precious')
    mkdirSync(directory)
    symlinkSync(file, join(directory, 'ctrd.lock'))
    assert.throws(() => lockRoot(directory), /cannot use .* as a root: ELOOP/)
    assert.equal(readFileSync(file, 'utf8'), 'precious')
  })
})
