// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  getContainer,
  removeContainer,
  startContainer,
  stopContainer,
  waitContainer,
} from '@ctr/engine'
import { MNT_DETACH, mount, umount } from '@ctr/linux'
import { NEVER, networksOf, TestEngine } from './support.ts'

describe('leftovers of the engine before', () => {
  test('a start that was not recorded is, with its endpoint', async () => {
    await using t = await TestEngine.open()
    const id = await t.create(['sleep', '1000'], { hostConfig: { NetworkMode: 'none' } })
    await startContainer(t.engine, id)
    const { db } = t.engine.store
    // As a kill before that commit leaves it.
    db.prepare("UPDATE containers SET status = 'created', pid = 0, start_time = 0").run()
    db.exec('DELETE FROM kept_endpoints')
    await t.reopen()
    assert.equal(t.status(id), 'running')
    assert.deepEqual(networksOf(t.engine, id), ['none'])
    await t.reopen()
    assert.deepEqual(networksOf(t.engine, id), ['none'])
    await removeContainer(t.engine, id, { force: true, volumes: false })
    assert.equal(t.engine.store.db.prepare('SELECT id FROM kept_endpoints').get(), undefined)
  })

  test('files on a filesystem of their own are removed where they are', async () => {
    await using t = await TestEngine.open()
    const containers = join(t.config.dataRoot, 'containers')
    const left = (): string[] => readdirSync(containers).filter((name) => name !== 'busy')
    const gone = async (): Promise<void> => {
      for (let ms = 0; left().length > 0 && ms < 20_000; ms += 50) await delay(50)
      assert.deepEqual(left(), [])
    }
    mount('tmpfs', containers, 'tmpfs', 0, '')
    mkdirSync(join(containers, 'busy'))
    mount('tmpfs', join(containers, 'busy'), 'tmpfs', 0, '')
    try {
      const id = await t.create(['true'], { hostConfig: { NetworkMode: 'none' } })
      await startContainer(t.engine, id)
      await removeContainer(t.engine, id, { force: true, volumes: false })
      await gone()
      mkdirSync(join(containers, 'f'.repeat(64)))
      await t.reopen()
      await gone()
    } finally {
      umount(join(containers, 'busy'), MNT_DETACH)
      umount(containers, MNT_DETACH)
    }
  })

  test('an exit that was recorded already is not recorded again', async () => {
    await using t = await TestEngine.open()
    const id = await t.create(['false'], {
      hostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 } },
    })
    const exits = waitContainer(t.engine, id, 'next-exit', NEVER)
    await startContainer(t.engine, id)
    await exits
    while (t.status(id) !== 'exited') await waitContainer(t.engine, id, 'next-exit', NEVER)
    await t.engine.queues.idle()
    const before = getContainer(t.engine, id)
    const directory = join(t.config.execRoot, 'c', id.slice(0, 24))
    mkdirSync(directory)
    const record = { status: 256, oom: false, finishedNs: String(before.state.finishedAtNs) }
    writeFileSync(join(directory, 'exit'), JSON.stringify(record))
    await t.reopen()
    assert.deepEqual(getContainer(t.engine, id), before)
    assert.ok(!existsSync(directory))
  })

  test('a shim that is stopped does not hold up the start of the engine', {
    timeout: 300_000,
  }, async () => {
    await using t = await TestEngine.open()
    const id = await t.create(['sleep', '1000'])
    await startContainer(t.engine, id)
    const pidFile = join(t.config.execRoot, 'c', id.slice(0, 24), 'shim.pid')
    const shimPid = Number(readFileSync(pidFile, 'utf8'))
    process.kill(shimPid, 'SIGSTOP')
    // A start that waited for it would end with the test's deadline.
    await t.reopen()
    assert.equal(t.status(id), 'running')
    assert.ok(!t.engine.shims.has(id))
    process.kill(shimPid, 'SIGCONT')
    const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
    await stopContainer(t.engine, id, { timeoutSeconds: 0 })
    assert.equal((await exited).exitCode, 137)
  })

  test('a run that a policy wants begins when all that was left is settled: its network would look like a leftover', {
    timeout: 300_000,
  }, async () => {
    await using t = await TestEngine.open()
    const RestartPolicy = { Name: 'always' }
    const silent = await t.create(['sleep', '1000'])
    const id = await t.create(['sleep', '1000'], { hostConfig: { RestartPolicy } })
    for (const each of [silent, id]) await startContainer(t.engine, each)
    const shimOf = (each: string): number =>
      Number(readFileSync(join(t.config.execRoot, 'c', each.slice(0, 24), 'shim.pid'), 'utf8'))
    const silentShim = shimOf(silent)
    const shim = shimOf(id)
    await t.engine[Symbol.asyncDispose]()
    // Recovery waits for this one, many times longer than the policy.
    process.kill(silentShim, 'SIGSTOP')
    process.kill(shim, 'SIGKILL')
    await t.reopen()
    assert.equal(t.status(id), 'restarting')
    process.kill(silentShim, 'SIGCONT')
    for (let ms = 0; t.status(id) !== 'running' && ms < 120_000; ms += 50) await delay(50)
    assert.equal(t.status(id), 'running')
    assert.deepEqual(networksOf(t.engine, id), ['none'])
  })

  test('a removal that a power cut has undone is undone as a whole', async () => {
    await using t = await TestEngine.open()
    const { id } = await t.run(['sh', '-c', 'echo once; cat file; echo kept >file'])
    // The rename was on the disk, the row's end was not.
    const { dataRoot } = t.config
    renameSync(join(dataRoot, 'containers', id), join(dataRoot, 'tmp', `container-${id}`))
    await t.reopen()
    const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
    await startContainer(t.engine, id)
    await exited
    assert.equal((await t.output(id)).stdout, 'once\nonce\nkept\n')
  })

  test('directories of unfinished creations and removals go, a user’s volume directory stays', async () => {
    await using t = await TestEngine.open()
    const orphan = join(t.config.dataRoot, 'containers', 'f'.repeat(64), 'upper')
    const pending = join(t.config.dataRoot, 'volumes', 'pending')
    const strange = join(t.config.dataRoot, 'volumes', 'strange')
    for (const path of [orphan, pending, strange]) mkdirSync(path, { recursive: true })
    writeFileSync(join(pending, '.pending'), '')
    mkdirSync(join(t.config.execRoot, 'c', 'e'.repeat(24)))
    mkdirSync(join(t.config.execRoot, 'x', 'e'.repeat(24)))
    await t.reopen()
    assert.ok(!existsSync(orphan))
    assert.ok(!existsSync(pending))
    assert.ok(existsSync(strange))
    assert.deepEqual(readdirSync(join(t.config.execRoot, 'c')), [])
    assert.deepEqual(readdirSync(join(t.config.execRoot, 'x')), [])
  })
})
