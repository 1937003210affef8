import assert from 'node:assert/strict'
import { existsSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { cgroupDirectories, hasCgroupV1, readLimit } from './cgroup-files.ts'
import { pidOf, useDaemon } from './daemon-fixture.ts'

// What the flags write on cgroup v1; test/cgroups-v2.test.ts is its other half.
const skip = requires({ root: true })
const noV1 = skip || (hasCgroupV1('memory') ? false : 'the host has no cgroup v1')
const ctrd = useDaemon({ bridge: false })

const MiB = 1024 * 1024

async function sleeper(...flags: readonly string[]): Promise<number> {
  const id = await ctrd().ok(['run', '-d', ...flags, 'busybox', 'sleep', '300'])
  return await pidOf(ctrd(), id)
}

function memory(pid: number, file: string): string {
  return readLimit(pid, { controller: 'memory', v1: `memory.${file}`, v2: '' })
}

test('reservation, swappiness and no OOM killer', { skip: noV1 }, async () => {
  const flags = ['--memory-reservation', '20m', '--memory-swappiness', '10', '--oom-kill-disable']
  const pid = await sleeper('-m', '50m', ...flags)
  assert.equal(memory(pid, 'soft_limit_in_bytes'), String(20 * MiB))
  assert.equal(memory(pid, 'swappiness'), '10')
  assert.match(memory(pid, 'oom_control'), /oom_kill_disable 1/)
})

test('update changes the limits of a running container, and takes a quota away', {
  skip: noV1,
}, async () => {
  const pid = await sleeper('--name', 'live', '-m', '100m', '--cpu-quota', '50000')
  const quota = (): string => readLimit(pid, { controller: 'cpu', v1: 'cpu.cfs_quota_us', v2: '' })
  assert.equal(quota(), '50000')
  await ctrd().ok(['update', '-m', '64m', '--memory-swap', '64m', '--cpu-quota', '25000', 'live'])
  assert.equal(memory(pid, 'limit_in_bytes'), String(64 * MiB))
  assert.equal(quota(), '25000')
  await ctrd().ok(['update', '--cpu-quota', '-1', 'live'])
  assert.equal(quota(), '-1')
})

const disk = '/dev/vda'
const noDisk = existsSync(disk) && statSync(disk).isBlockDevice() ? false : `there is no ${disk}`

test('throttles of a block device', { skip: noV1 || noDisk }, async () => {
  for (const [kind, value, expected] of [
    ['read-bps', '1mb', MiB],
    ['write-bps', '2mb', 2 * MiB],
    ['read-iops', '100', 100],
    ['write-iops', '200', 200],
  ] as const) {
    const pid = await sleeper(`--device-${kind}`, `${disk}:${value}`)
    const file = `blkio.throttle.${kind.replace('-', '_')}_device`
    const text = readLimit(pid, { controller: 'blkio', v1: file, v2: '' })
    assert.match(text, new RegExp(`^\\d+:\\d+ ${expected}$`))
  }
})

test('--cgroup-parent is the parent in every hierarchy', { skip }, async () => {
  const parent = `/ctt-parent-${process.pid}`
  const pid = await sleeper('--name', 'child', '--cgroup-parent', parent)
  const directories = cgroupDirectories(pid)
  for (const path of directories) assert.match(path, new RegExp(`${parent}/[0-9a-f]{64}$`))
  await ctrd().ok(['rm', '-f', 'child'])
  // It stays, as Docker's does.
  for (const path of directories) rmdirSync(dirname(path))
})

test('--cgroup-parent does not climb above the root of the hierarchies', { skip }, async () => {
  const pid = await sleeper('--name', 'climber', '--cgroup-parent', '../../../..')
  for (const path of cgroupDirectories(pid)) assert.match(path, /\/[0-9a-f]{64}$/)
  await ctrd().ok(['rm', '-f', 'climber'])
  for (const path of cgroupDirectories(process.pid)) assert.ok(existsSync(path))
})
