import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'

const PIDS = '/sys/fs/cgroup/pids'
// needs: root, cgroup v1: there a group may have members and a limit without more ado
const skip = requires({ root: true, files: [`${PIDS}/cgroup.procs`] })
const group = `${PIDS}/ctr-process-limit-${process.pid}`

describe('a daemon that may make no more processes', { skip, timeout: 600_000 }, () => {
  let daemon: TestDaemon
  before(async () => {
    daemon = await startDaemon({ bridge: false })
    mkdirSync(group)
    const tasks = `/proc/${daemon.pid}/task/${daemon.pid}/children`
    for (const pid of [daemon.pid, ...readFileSync(tasks, 'latin1').trim().split(' ')]) {
      writeFileSync(`${group}/cgroup.procs`, String(pid))
    }
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
    await waitFor('the group to be empty', () => {
      rmdirSync(group)
      return true
    })
  })

  /** What is said while no process and no thread can be made. */
  async function refused(...args: string[]): Promise<string> {
    writeFileSync(`${group}/pids.max`, '1')
    const { code, stderr } = await daemon.ctr(args)
    writeFileSync(`${group}/pids.max`, 'max')
    assert.notEqual(code, 0)
    return stderr
  }

  test('says so, and works when it may again', async () => {
    const archive = `${daemon.root}/busybox.tar`
    const words = /the limit of processes is reached: raise pids\.max/
    await daemon.ok(['save', '-o', archive, 'busybox'])
    await daemon.ok(['rmi', '-f', 'busybox'])
    assert.match(await refused('load', '-i', archive), words)
    // With a thread that is there.
    await daemon.ok(['load', '-i', archive])
    await daemon.ok(['rmi', '-f', 'busybox'])
    assert.match(await refused('load', '-i', archive), words)
    await daemon.ok(['load', '-i', archive])
    const run = ['run', '--rm', 'busybox', 'true']
    assert.match(await refused(...run), words)
    // With a shim that is there.
    await daemon.ok(run)
    assert.match(await refused(...run), words)
    await daemon.ok(run)
  })
})
