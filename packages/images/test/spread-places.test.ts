import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { isExt4WithoutJournal, mount, umount } from '@ctr/linux'
import { SpreadPlaces } from '../src/spread-places.ts'

const root = mkdtempSync(join(tmpdir(), 'ctr-images-places-'))
after(() => rmSync(root, { recursive: true }))

function next(places: SpreadPlaces, count: number): string[] {
  return Array.from({ length: count }, () => places.next())
}

test('places take turns where the filesystem searches what was removed, and are one elsewhere', () => {
  const found = next(new SpreadPlaces(root), 200)
  for (const place of found) assert.equal(statSync(place).mode & 0o7777, 0o700)
  if (!isExt4WithoutJournal(root)) {
    assert.deepEqual(new Set(found), new Set([root]))
    return
  }
  assert.equal(new Set(found).size, 64)
  assert.deepEqual(new Set(found.map(dirname)), new Set([join(root, 'spread')]))
  // Others than those of the daemon before: their block groups were in use a moment ago.
  assert.equal(new Set([...found, ...next(new SpreadPlaces(root), 64)]).size, 128)
})

test('a filesystem of another kind has one place', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const other = join(root, 'tmpfs')
  mkdirSync(other)
  mount('tmpfs', other, 'tmpfs', 0, '')
  try {
    assert.deepEqual(new Set(next(new SpreadPlaces(other), 3)), new Set([other]))
  } finally {
    umount(other, 0)
  }
})

test('without the directory it stays what it is', () => {
  const absent = join(root, 'absent')
  assert.deepEqual(next(new SpreadPlaces(absent), 2), [absent, absent])
})
