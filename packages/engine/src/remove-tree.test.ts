import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { removeTree } from './remove-tree.ts'

describe('removeTree', () => {
  let root: string

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'ctr-remove-tree-'))
  })

  afterEach(() => rm(root, { recursive: true, force: true }))

  for (const files of [0, 3, 47, 48, 49, 500]) {
    it(`removes ${files} files and the directories that they are in`, async () => {
      const doomed = join(root, 'doomed')
      mkdirSync(join(doomed, 'a/b'), { recursive: true })
      for (let i = 0; i < files; i++)
        writeFileSync(join(doomed, i % 2 === 0 ? 'a' : 'a/b', `${i}`), '')
      await removeTree(doomed)
      assert.equal(existsSync(doomed), false)
    })
  }

  it('removes a symlink, not what it leads to', async () => {
    const kept = join(root, 'kept')
    mkdirSync(kept)
    writeFileSync(join(kept, 'file'), 'text')
    mkdirSync(join(root, 'doomed'))
    symlinkSync(kept, join(root, 'doomed/link'))
    await removeTree(join(root, 'doomed'))
    assert.equal(existsSync(join(root, 'doomed')), false)
    assert.equal(readFileSync(join(kept, 'file'), 'utf8'), 'text')
  })

  it('is content when there is nothing', async () => {
    await removeTree(join(root, 'absent'))
  })
})
