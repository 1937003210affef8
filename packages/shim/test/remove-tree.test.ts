import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Spawner } from '../src/index.ts'

/** Requires root: mounts. */
describe('remove_tree', { timeout: 300_000 }, () => {
  let dir: string
  let spawner: Spawner
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ctr-shim-remove-'))
    spawner = await Spawner.start({ socketPath: join(dir, 's') })
  })
  after(async () => {
    await spawner[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  })

  async function remove(...paths: string[]): Promise<void> {
    await using _task = await spawner.task(paths.map((path) => ({ op: 'remove_tree', path })))
  }

  it('removes files and directories, and follows no symlink', async () => {
    const [tree, kept] = [join(dir, 'tree'), join(dir, 'kept')]
    mkdirSync(join(tree, 'a/b'), { recursive: true })
    mkdirSync(kept)
    writeFileSync(join(kept, 'file'), 'text')
    for (let i = 0; i < 500; i++) writeFileSync(join(tree, 'a/b', String(i)), '')
    symlinkSync(kept, join(tree, 'a/link'))
    execFileSync('mkfifo', [join(tree, 'a/fifo')])
    symlinkSync(kept, join(dir, 'link'))
    writeFileSync(join(dir, 'file'), '')
    await remove(tree, join(dir, 'link'), join(dir, 'file'), join(dir, 'absent'))
    assert.deepEqual(readdirSync(dir).sort(), ['kept', 's'])
    assert.equal(readFileSync(join(kept, 'file'), 'utf8'), 'text')
  })

  it('enters nothing that is mounted', async () => {
    const tree = join(dir, 'mounted')
    mkdirSync(join(tree, 'a/point'), { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'ctr-test', join(tree, 'a/point')])
    try {
      writeFileSync(join(tree, 'a/point/file'), 'text')
      await assert.rejects(remove(tree), { code: 'EBUSY' })
      assert.equal(readFileSync(join(tree, 'a/point/file'), 'utf8'), 'text')
    } finally {
      execFileSync('umount', [join(tree, 'a/point')])
    }
    await remove(tree)
    assert.ok(!existsSync(tree))
  })

  it('gives up on what is too deep', async () => {
    const tree = join(dir, 'deep')
    mkdirSync(join(tree, 'd/'.repeat(300)), { recursive: true })
    await assert.rejects(remove(tree), { code: 'ELOOP' })
  })
})
