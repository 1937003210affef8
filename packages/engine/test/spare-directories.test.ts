import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { isExt4WithoutJournal } from '@ctr/linux'
import { Spawner } from '@ctr/shim'
import { SpareDirectories } from '../src/container/spare-directories.ts'
import { BackgroundWork } from '../src/engine.ts'
import { QUIET } from './quiet-logger.ts'

const countSpares = (dataRoot: string): number =>
  readdirSync(join(dataRoot, 'tmp'), { encoding: 'utf8', recursive: true }).filter((name) =>
    basename(name).startsWith('spare-'),
  ).length

describe('spare directories', { timeout: 300_000 }, () => {
  let dir: string
  let spawner: Spawner
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ctr-engine-spare-'))
    spawner = await Spawner.start({ socketPath: join(dir, 's') })
  })
  after(async () => {
    await spawner[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  })

  function open(dataRoot: string): { spares: SpareDirectories; background: BackgroundWork } {
    const background = new BackgroundWork(QUIET)
    return {
      spares: new SpareDirectories({ spawner, background, log: QUIET, dataRoot }),
      background,
    }
  }

  it('are each given once, with the modes of a container layer, and made again', async () => {
    const dataRoot = join(dir, 'root')
    mkdirSync(join(dataRoot, 'tmp'), { recursive: true })
    const { spares, background } = open(dataRoot)
    assert.equal(spares.take(), undefined)
    const taken = new Set<string>()
    for (let i = 0; i < 100; i++) {
      await background.idle()
      const path = spares.take()
      assert.ok(path !== undefined && !taken.has(path))
      taken.add(path)
      const modes = [path, join(path, 'upper'), join(path, 'work')].map((at) => statSync(at).mode)
      assert.deepEqual(modes, [0o40700, 0o40755, 0o40700])
      assert.deepEqual(readdirSync(join(path, 'upper')), [])
    }
    await background.idle()
    // What is not given is bounded.
    assert.ok(countSpares(dataRoot) <= taken.size + 32)
    // Of five batches or more, where it matters.
    const places = new Set([...taken].map(dirname)).size
    assert.ok(isExt4WithoutJournal(dataRoot) ? places >= 5 : places === 1, String(places))
  })

  it('leave nothing on a disk that has no room for all of them', async () => {
    const dataRoot = join(dir, 'small')
    mkdirSync(dataRoot)
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=24', 'spare', dataRoot])
    try {
      mkdirSync(join(dataRoot, 'tmp'))
      const { spares, background } = open(dataRoot)
      for (let round = 0; round < 3; round++) {
        assert.equal(spares.take(), undefined)
        await background.idle()
        assert.deepEqual(readdirSync(join(dataRoot, 'tmp')), [])
      }
    } finally {
      await promisify(execFile)('umount', [dataRoot])
    }
  })

  it('are none where they cannot be made', async () => {
    const { spares, background } = open(join(dir, 'absent'))
    spares.make()
    await background.idle()
    assert.equal(spares.take(), undefined)
    await background.idle()
  })
})
