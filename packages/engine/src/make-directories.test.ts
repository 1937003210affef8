import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeDirectories } from './make-directories.ts'

const root = mkdtempSync('/tmp/ctr-directories-')
after(() => rmSync(root, { recursive: true }))

test('all that is missing is made, and the first of it told', async () => {
  assert.equal(await makeDirectories(join(root, 'a/b/c')), join(root, 'a'))
  assert.ok(statSync(join(root, 'a/b/c')).isDirectory())
  assert.equal(await makeDirectories(join(root, 'a/b/d')), join(root, 'a/b/d'))
  assert.equal(await makeDirectories(join(root, 'a/b')), undefined)
  symlinkSync(join(root, 'a'), join(root, 'link'))
  assert.equal(await makeDirectories(join(root, 'link')), undefined)
  assert.equal(await makeDirectories('/'), undefined)
})

test('what cannot be made is an error with its place, and no wait for ever', async () => {
  writeFileSync(join(root, 'file'), '')
  symlinkSync(join(root, 'nowhere/x'), join(root, 'broken'))
  await assert.rejects(makeDirectories(join(root, 'file')), { code: 'EEXIST' })
  await assert.rejects(makeDirectories(join(root, 'file/x')), { code: 'ENOTDIR' })
  await assert.rejects(makeDirectories(join(root, 'broken')), { code: 'EEXIST' })
  await assert.rejects(makeDirectories(join(root, 'broken/x')), { code: 'EEXIST' })
  await assert.rejects(makeDirectories('/proc/nope'), { code: 'ENOENT', path: '/proc/nope' })
  await assert.rejects(makeDirectories('/proc/nope/x'), { code: 'ENOENT', path: '/proc/nope' })
})
