// needs: root
import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
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
import { lockRoot } from './root-lock.ts'

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

  test('is not locked by the file that a link leads to', () => {
    const file = join(parent, 'file')
    writeFileSync(file, 'precious')
    mkdirSync(directory)
    symlinkSync(file, join(directory, 'ctrd.lock'))
    assert.throws(() => lockRoot(directory), /cannot use .* as a root: ELOOP/)
    assert.equal(readFileSync(file, 'utf8'), 'precious')
  })
})
