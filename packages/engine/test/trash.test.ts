import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Spawner } from '@ctr/shim'
import { BackgroundWork } from '../src/engine.ts'
import { Trash } from '../src/trash.ts'
import { QUIET } from './quiet-logger.ts'

describe('the trash', { timeout: 300_000 }, () => {
  let dir: string
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ctr-engine-trash-'))
  })
  after(() => rm(dir, { recursive: true, force: true }))

  it('is empty when the background work is done, also of what the shim does not remove', async () => {
    await using spawner = await Spawner.start({ socketPath: join(dir, 's') })
    const background = new BackgroundWork(QUIET)
    const trash = new Trash({
      spawner,
      store: { flush: async () => undefined },
      background,
      log: QUIET,
    })
    const [flat, deep, later] = ['flat', 'deep', 'later'].map((name) => join(dir, name))
    assert.ok(flat !== undefined && deep !== undefined && later !== undefined)
    mkdirSync(flat)
    writeFileSync(join(flat, 'file'), '')
    mkdirSync(join(deep, 'd/'.repeat(300)), { recursive: true })
    trash.add(flat)
    trash.add(deep)
    await background.idle()
    assert.ok(!existsSync(flat) && !existsSync(deep))
    mkdirSync(later)
    trash.add(later)
    await background.idle()
    assert.ok(!existsSync(later))
  })

  it('removes nothing before what was committed is on the disk', async () => {
    await using spawner = await Spawner.start({ socketPath: join(dir, 's2') })
    const background = new BackgroundWork(QUIET)
    const [asked, flushed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const store = {
      flush: () => {
        asked.resolve()
        return flushed.promise
      },
    }
    const trash = new Trash({ spawner, store, background, log: QUIET })
    const removed = join(dir, 'removed')
    mkdirSync(removed)
    trash.add(removed)
    await asked.promise
    assert.ok(existsSync(removed))
    flushed.reject(new Error('the disk is broken'))
    await background.idle()
    assert.ok(!existsSync(removed))
  })
})
