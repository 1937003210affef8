// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { removeCheckpoint } from '@ctr/engine'
import { TestEngine } from './support.ts'

test('only checkpoints are removed from a directory that the client names', async () => {
  await using t = await TestEngine.open()
  const id = await t.create(['true'])
  const directory = mkdtempSync('/tmp/ctr-engine-checkpoints-')
  const make = (name: string, ...files: string[]): string => {
    const path = join(directory, name)
    mkdirSync(path)
    for (const file of files) writeFileSync(join(path, file), '{}')
    return path
  }
  try {
    const photos = make('photos', 'holiday.img', 'index.html')
    mkdirSync(join(make('tree', 'core-1.img'), 'more'))
    symlinkSync(make('target', 'core-1.img'), join(directory, 'link'))
    for (const name of ['photos', 'tree', 'link']) {
      await assert.rejects(removeCheckpoint(t.engine, id, name, directory), {
        code: 'INVALID_ARGUMENT',
        message: `${join(directory, name)} is not a checkpoint`,
      })
    }
    assert.ok(existsSync(join(photos, 'holiday.img')))
    assert.ok(existsSync(join(directory, 'target', 'core-1.img')))
    // Whole, half done, just begun.
    for (const [name, ...files] of [
      ['whole', 'checkpoint.json', 'inventory.img', 'irmap-cache'],
      ['half', 'dump.log', 'core-1.img', 'stats-dump', 'descriptors.json'],
      ['empty'],
    ] as const) {
      const path = make(name, ...files)
      await removeCheckpoint(t.engine, id, name, directory)
      assert.ok(!existsSync(path), name)
    }
    await assert.rejects(removeCheckpoint(t.engine, id, 'none', directory), { code: 'NOT_FOUND' })
  } finally {
    rmSync(directory, { recursive: true })
  }
})
