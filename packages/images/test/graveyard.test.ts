import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MNT_DETACH, mount, umount } from '@ctr/linux'
import { Graveyard } from '../src/graveyard.ts'
import { makeImagePaths } from '../src/paths.ts'
import { removeTrees } from '../src/unpack/remove-trees.ts'
import { quiet } from './fixture.ts'

describe('what is removed in the background', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  it('trees of any depth, and files', async () => {
    const root = mkdtempSync('/tmp/ctr-images-test-')
    try {
      const graveyard = new Graveyard(makeImagePaths(root), quiet)
      // As deep as a layer can be.
      const deep = join(root, 'snapshots', '1', 'd/'.repeat(1900))
      mkdirSync(deep, { recursive: true })
      writeFileSync(join(deep, 'f'), 'x')
      writeFileSync(join(root, 'snapshots', '2'), 'x')
      for (const name of ['1', '2', 'missing']) graveyard.bury(join(root, 'snapshots', name))
      await graveyard.settle()
      assert.deepEqual(readdirSync(join(root, 'snapshots')), [])
      assert.deepEqual(readdirSync(join(root, 'tmp')), [])
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  it('what cannot be removed does not keep the rest', async () => {
    const root = mkdtempSync('/tmp/ctr-images-test-')
    const warnings: unknown[] = []
    const log = { ...quiet, warn: (fields: unknown) => warnings.push(fields) }
    try {
      const graveyard = new Graveyard(makeImagePaths(root), log)
      for (const name of ['1', '2', '3']) {
        mkdirSync(join(root, 'snapshots', name))
        writeFileSync(join(root, 'snapshots', name, 'f'), 'x')
      }
      execFileSync('chattr', ['+i', join(root, 'snapshots/1/f')])
      for (const name of ['1', '2', '3']) graveyard.bury(join(root, 'snapshots', name))
      await graveyard.settle()
      const left = readdirSync(join(root, 'tmp'))
      assert.equal(left.length, 1)
      assert.ok(warnings.length > 0)
      execFileSync('chattr', ['-i', join(root, 'tmp', left[0] ?? '', 'f')])
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  it('what is on a filesystem of its own, but for what is mounted', async () => {
    const root = mkdtempSync('/tmp/ctr-images-test-')
    const warnings: unknown[] = []
    const log = { ...quiet, warn: (fields: unknown) => warnings.push(fields) }
    const graveyard = new Graveyard(makeImagePaths(root), log)
    const snapshots = join(root, 'snapshots')
    mount('tmpfs', snapshots, 'tmpfs', 0, '')
    try {
      for (const name of ['1', '2', 'mounted']) mkdirSync(join(snapshots, name))
      writeFileSync(join(snapshots, '1', 'f'), 'x')
      mount('tmpfs', join(snapshots, 'mounted'), 'tmpfs', 0, '')
      for (const name of ['mounted', '1', '2']) graveyard.bury(join(snapshots, name))
      await graveyard.settle()
      assert.deepEqual(readdirSync(snapshots), ['mounted'])
      assert.deepEqual(warnings, [{ path: join(snapshots, 'mounted') }])
    } finally {
      umount(join(snapshots, 'mounted'), MNT_DETACH)
      umount(snapshots, MNT_DETACH)
      rmSync(root, { recursive: true })
    }
  })

  it('a symlink is removed, not what it leads to', async () => {
    const root = mkdtempSync('/tmp/ctr-images-test-')
    try {
      mkdirSync(join(root, 'kept'))
      mkdirSync(join(root, 'grave'))
      execFileSync('ln', ['-s', join(root, 'kept'), join(root, 'grave/link')])
      await removeTrees(root, ['grave'])
      assert.ok(existsSync(join(root, 'kept')))
      await assert.rejects(removeTrees(root, ['grave']), { code: 'ENOENT' })
    } finally {
      rmSync(root, { recursive: true })
    }
  })
})
