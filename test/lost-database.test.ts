import assert from 'node:assert/strict'
import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { requires } from '@ctr/testkit'
import { pidOf, useDaemon } from './daemon-fixture.ts'

// What has no row is removed at the start of a daemon. A database that is lost must not take everything with it.
const skip = requires({ root: true })

describe('a daemon that finds its database', { skip, timeout: 300_000 }, () => {
  const daemon = useDaemon({ bridge: false })
  const database = (): string => join(daemon().dataRoot, 'ctr.db')

  /** Puts the database's files aside; putting them back is the caller's. */
  function putAside(): () => void {
    const names = readdirSync(daemon().dataRoot).filter((name) => name.startsWith('ctr.db'))
    const saved = join(daemon().root, 'saved-')
    for (const name of names) renameSync(join(daemon().dataRoot, name), saved + name)
    return () => {
      for (const name of names) renameSync(saved + name, join(daemon().dataRoot, name))
    }
  }

  async function assertRefused(reason: RegExp): Promise<void> {
    await assert.rejects(daemon().restart())
    assert.match(daemon().log.trimEnd().split('\n').slice(-3).join('\n'), reason)
  }

  test('lost refuses to start, and nothing is lost when it is put back', async () => {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '1000'])
    await daemon().ok(['exec', 'it', 'sh', '-c', 'echo kept >/kept'])
    await daemon().ok(['commit', 'it', 'kept'])
    const pid = await pidOf(daemon(), 'it')
    await daemon().kill9()
    const putBack = putAside()
    await assertRefused(/ctrd: the database in .* is empty, but containers, content.* are not/)
    await assertRefused(/put ctr.db and ctr.db-wal back/)
    rmSync(database(), { force: true })
    rmSync(`${database()}-wal`, { force: true })
    rmSync(`${database()}-shm`, { force: true })
    putBack()
    await daemon().restart()
    assert.equal(await pidOf(daemon(), 'it'), pid)
    assert.equal(await daemon().ok(['exec', 'it', 'cat', '/kept']), 'kept')
    assert.equal(await daemon().ok(['run', '--rm', 'kept', 'cat', '/kept']), 'kept')
  })

  test('cut to nothing, or without its log, refuses, too', async () => {
    await daemon().ok(['create', '--name', 'it', 'busybox'])
    await daemon().stop()
    const whole = readFileSync(database())
    truncateSync(database(), 0)
    await assertRefused(/is empty, but/)
    rmSync(`${database()}-wal`, { force: true })
    rmSync(`${database()}-shm`, { force: true })
    writeFileSync(database(), whole)
    await daemon().restart()
    assert.equal(await daemon().ok(['ps', '-a', '--format', '{{.Names}}']), 'it')
  })

  test('with damaged data says whose', async () => {
    await daemon().ok(['create', '--name', 'it', 'busybox'])
    await daemon().stop()
    const set = (from: string, to: string): void => {
      using db = new DatabaseSync(database())
      db.prepare('UPDATE containers SET config = replace(config, ?, ?)').run(from, to)
    }
    set('{', '<')
    await assertRefused(/ctrd: the database has damaged data of container it \([0-9a-f]{64}\)/)
    set('<', '{')
    await daemon().restart()
    await daemon().ok(['start', 'it'])
  })
})
