import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { cgroupDirectories, cgroupDirectory, hasCgroupV1, readLimit } from './cgroup-files.ts'
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

/** In the test's own cgroup. */
function hasFile(controller: string, file: string): boolean {
  return existsSync(`${cgroupDirectory(process.pid, controller).path}/${file}`)
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

// dockerd 20.10, step by step.
const memoryUpdates: Record<string, readonly (readonly [string, RegExp | string])[]> = {
  'memory that has had no limit needs a word about swap': [
    ['-m 64m', /update the memoryswap at the same time/],
    ['-m 64m --memory-swap -1', '67108864 -1 0'],
    ['-m 32m', /update the memoryswap at the same time/],
    ['-m 32m --memory-swap 64m', '33554432 67108864 0'],
    ['-m 48m', '50331648 67108864 0'],
  ],
  'a reservation may be above the memory of an earlier request, not of its own': [
    ['-m 64m --memory-swap 128m', '67108864 134217728 0'],
    ['--memory-reservation 96m', '67108864 134217728 100663296'],
    ['-m 48m', '50331648 134217728 100663296'],
    ['-m 48m --memory-reservation 96m', /can not be less than memory reservation limit/],
    ['--memory-reservation 2m', /Minimum memory reservation allowed is 6MB/],
  ],
}
for (const [name, steps] of Object.entries(memoryUpdates)) {
  for (const command of ['run -d', 'create']) {
    test(`update after ${command}: ${name}`, { skip: noV1 }, async () => {
      await ctrd().ok([...command.split(' '), '--name', 'upd', 'busybox', 'sleep', '1000'])
      for (const [flags, expected] of steps) {
        const { code, stderr } = await ctrd().ctr(['update', ...flags.split(' '), 'upd'])
        if (expected instanceof RegExp) {
          assert.match(stderr, expected)
          assert.equal(code, 1)
          continue
        }
        assert.equal(stderr, '', flags)
        const format =
          '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}'
        assert.equal((await ctrd().ok(['inspect', '-f', format, 'upd'])).trim(), expected, flags)
      }
      await ctrd().ok(['rm', '-f', 'upd'])
    })
  }
}

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

const noWeights = hasFile('blkio', 'blkio.bfq.io_service_bytes') ? false : 'the kernel has no BFQ'

test('--blkio-weight is the weight of BFQ, within its range', {
  skip: noV1 || noWeights,
}, async () => {
  const result = await ctrd().ctr(['run', '-d', '--blkio-weight', '300', 'busybox', 'sleep', '300'])
  assert.equal(result.stderr, '')
  const pid = await pidOf(ctrd(), result.stdout.trim())
  const weight = { controller: 'blkio', v1: 'blkio.bfq.weight', v2: 'io.bfq.weight' }
  assert.equal(readLimit(pid, weight), '300')
  for (const outside of ['5', '1001']) {
    const refused = await ctrd().ctr(['run', '--rm', '--blkio-weight', outside, 'busybox', 'true'])
    assert.equal(refused.code, 125)
    assert.match(refused.stderr, /Range of blkio weight is from 10 to 1000/)
  }
})

const scheduler = '/sys/block/vda/queue/scheduler'
const isBfq = existsSync(scheduler) && readFileSync(scheduler, 'utf8').includes('[bfq]')

test('the weight of a disk that BFQ does not schedule is said to have no effect', {
  skip: skip || noDisk || (isBfq ? 'BFQ schedules it' : false),
}, async () => {
  const flags = ['--blkio-weight-device', `${disk}:300`]
  const result = await ctrd().ctr(['run', '--rm', ...flags, 'busybox', 'true'])
  assert.equal(result.code, 0, result.stderr)
  assert.match(result.stderr, /Block I\/O weight of \/dev\/vda has no effect: its scheduler is /)
})

const rootRealtime = '/sys/fs/cgroup/cpu/cpu.rt_runtime_us'
// In a container the root is its own group, which was given nothing.
const hasShare = existsSync(rootRealtime) && readFileSync(rootRealtime, 'utf8').trim() !== '0'
const noRealtime = hasFile('cpu', 'cpu.rt_runtime_us')
  ? !hasShare && 'the cgroup that we see as the root has no real-time share'
  : 'the kernel has no real-time groups'

test('real-time shares are made room for, as far as the host has some', {
  skip: noV1 || noRealtime,
}, async () => {
  const shareOf = (pid: number): string =>
    readLimit(pid, { controller: 'cpu', v1: 'cpu.rt_runtime_us', v2: '' })
  assert.equal(shareOf(await sleeper('--cpu-rt-runtime', '1000')), '1000')
  const part = ['--cpu-rt-period', '100000', '--cpu-rt-runtime', '5000']
  const second = await sleeper('--name', 'second', ...part)
  assert.equal(shareOf(second), '5000')
  await ctrd().ok(['update', '--cpu-rt-runtime', '6000', 'second'])
  assert.equal(shareOf(second), '6000')
  const tooMuch = ['run', '--rm', '--cpu-rt-runtime', '1000000', 'busybox', 'true']
  const refused = await ctrd().ctr(tooMuch)
  assert.equal(refused.code, 125)
  assert.match(refused.stderr, /the host has no \d+ µs in 1000000 µs left for/)
})

test('the limit of kernel memory is accepted, and said to have no effect', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--rm', '--kernel-memory', '50m', 'busybox', 'true'])
  assert.equal(result.code, 0, result.stderr)
  assert.match(result.stderr, /--kernel-memory has no effect/)
})
