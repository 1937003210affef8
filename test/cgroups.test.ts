import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { requires, waitFor } from '@ctr/testkit'
import type { LimitFile } from './cgroup-files.ts'
import {
  cgroupDirectories,
  cgroupDirectory,
  cpuUse,
  cpuUsed,
  hasCgroupV1,
  preferParent,
  readLimit,
} from './cgroup-files.ts'
import type { CommandCase } from './daemon-fixture.ts'
import { checkResult, field, inBusybox, pidOf, useDaemon } from './daemon-fixture.ts'
import { loopDevice, noLoop } from './loop-device.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

const MiB = 1024 * 1024

const memory: LimitFile = { controller: 'memory', v1: 'memory.limit_in_bytes', v2: 'memory.max' }
const pids: LimitFile = { controller: 'pids', v1: 'pids.max', v2: 'pids.max' }
const shares: LimitFile = { controller: 'cpu', v1: 'cpu.shares', v2: 'cpu.weight' }

async function sleeper(flags: readonly string[]): Promise<number> {
  const id = await ctrd().ok(['run', '-d', ...flags, 'busybox', 'sleep', '300'])
  return await pidOf(ctrd(), id)
}

test('a container and its children are in its cgroup, which goes with it', { skip }, async () => {
  const id = await ctrd().ok([
    'run',
    '-d',
    '--name',
    'cg',
    'busybox',
    'sh',
    '-c',
    'sleep 300 & sleep 301',
  ])
  const pid = await pidOf(ctrd(), 'cg')
  const { path } = cgroupDirectory(pid, 'pids')
  assert.ok(path.includes(id), path)
  await waitFor(
    'the child of the shell',
    () => readFileSync(`${path}/cgroup.procs`, 'utf8').trim().split('\n').length >= 2,
  )
  await ctrd().ok(['rm', '-f', 'cg'])
  await waitFor('the end of the cgroup', () => !existsSync(path))
})

test('a container has a cgroup in every mounted hierarchy', { skip }, async () => {
  const id = await ctrd().ok(['run', '-d', 'busybox', 'sleep', '300'])
  for (const path of cgroupDirectories(await pidOf(ctrd(), id))) assert.ok(path.includes(id), path)
})

test('--memory is the limit of the memory cgroup', { skip }, async () => {
  assert.equal(readLimit(await sleeper(['-m', '50m']), memory), '52428800')
  assert.equal(readLimit(await sleeper(['-m', '10485760b']), memory), '10485760')
  assert.equal(readLimit(await sleeper(['-m', '1g']), memory), '1073741824')
})

test('--cpus is the quota of a period of 100 ms', { skip }, async () => {
  const pid = await sleeper(['--cpus', '0.5'])
  if (!hasCgroupV1('cpu')) {
    assert.equal(readLimit(pid, { controller: 'cpu', v1: '', v2: 'cpu.max' }), '50000 100000')
    return
  }
  assert.equal(readLimit(pid, { controller: 'cpu', v1: 'cpu.cfs_quota_us', v2: '' }), '50000')
  assert.equal(readLimit(pid, { controller: 'cpu', v1: 'cpu.cfs_period_us', v2: '' }), '100000')
})

test('--cpus slows a busy container down to its share', { skip }, async () => {
  const pid = await sleeper(['--cpus', '0.5'])
  const id = await ctrd().ok(['ps', '-lq'])
  assert.ok(pid > 0)
  const startedMs = Date.now()
  // Children of the shell count: `times` says what they used.
  const out = await ctrd().ok([
    'exec',
    id,
    'sh',
    '-c',
    'timeout 3 sh -c "while :; do :; done"; cat /proc/uptime >/dev/null; times',
  ])
  const elapsedMs = Date.now() - startedMs
  const [, minutes = '0', seconds = '0'] = /\n(\d+)m([\d.]+)s/.exec(out) ?? []
  const usedMs = (Number(minutes) * 60 + Number(seconds)) * 1000
  assert.ok(usedMs / elapsedMs < 0.65, `${usedMs} ms of processor time in ${elapsedMs} ms`)
})

test('half a processor is twice a quarter', { skip }, async () => {
  const loop = ['busybox', 'sh', '-c', 'while :; do :; done']
  const pids = await Promise.all(
    ['0.5', '0.25'].map(async (share) =>
      pidOf(ctrd(), await ctrd().ok(['run', '-d', '--cpus', share, ...loop])),
    ),
  )
  preferParent(pids[0] ?? 0)
  // A busy host may keep them from their quotas all the same: a second in which both have used theirs up must show the ratio.
  const ratios: string[] = []
  await waitFor(
    'a ratio of 2 within a tenth',
    async () => {
      const before = pids.map(cpuUse)
      await delay(2000)
      const after = pids.map(cpuUse)
      const [half, quarter] = after.map((use, index) => cpuUsed(before[index] ?? use, use))
      assert.ok(half !== undefined && quarter !== undefined)
      const ratio = half.usedUs / quarter.usedUs
      ratios.push(`${ratio} (${half.throttled} and ${quarter.throttled} of ${half.periods})`)
      const isHeldBack = [half, quarter].every(({ periods, throttled }) => throttled > periods / 2)
      return isHeldBack && Math.abs(ratio - 2) < 0.2
    },
    120_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${ratios.slice(-20).join(', ')}`)
  })
})

for (const [flag, slowly] of [
  ['--device-read-bps', 'reads 3 MiB in more than two seconds at 1 MiB a second'],
  ['--device-read-iops', 'reads 48 times in more than two seconds at 16 times a second'],
] as const) {
  test(`${flag} ${slowly}`, { skip: skip || noLoop }, async () => {
    await using disk = await loopDevice(ctrd().root, 3 * MiB)
    const read = async (flags: readonly string[]): Promise<number> => {
      const startedMs = performance.now()
      const script = `dd if=${disk.path} of=/dev/null bs=64k iflag=direct 2>/dev/null`
      await inBusybox(ctrd(), script, ['--device', `${disk.path}:${disk.path}`, ...flags])
      return performance.now() - startedMs
    }
    const limit = flag === '--device-read-bps' ? '1mb' : '16'
    // At the same time: what slows one down slows the other down.
    const [slow = 0, free = 0] = await Promise.all(
      [[flag, `${disk.path}:${limit}`], []].map(async (flags) => await read(flags)),
    )
    assert.ok(slow > 2000, `it took ${slow} ms`)
    assert.ok(free < slow, `without a limit it is not faster: ${free} ms, with it ${slow} ms`)
  })
}

for (const [flag, limit] of [
  ['--device-write-bps', '1mb'],
  ['--device-write-iops', '16'],
] as const) {
  test(`${flag} makes 48 writes of 64 KiB take more than two seconds`, {
    skip: skip || noLoop,
  }, async () => {
    await using disk = await loopDevice(ctrd().root, 3 * MiB)
    const startedMs = performance.now()
    const script = `dd if=/dev/zero of=${disk.path} bs=64k count=48 oflag=direct 2>/dev/null`
    const flags = ['--device', `${disk.path}:${disk.path}`, flag, `${disk.path}:${limit}`]
    await inBusybox(ctrd(), script, flags)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs > 2000, `it took ${tookMs} ms`)
  })
}

test('--cpu-shares is the weight', { skip }, async () => {
  const value = readLimit(await sleeper(['--cpu-shares', '512']), shares)
  assert.equal(value, hasCgroupV1('cpu') ? '512' : '59')
})

test('--cpu-shares that the kernel would clamp are refused', {
  skip: skip || (hasCgroupV1('cpu') ? false : 'cgroup v2 has weights'),
}, async () => {
  for (const [value, stderr] of [
    ['1', /the minimum allowed cpu-shares is 2/],
    ['300000', /the maximum allowed cpu-shares is 262144/],
  ] as const) {
    const result = await ctrd().ctr(['run', '--cpu-shares', value, 'busybox', 'true'])
    checkResult({ code: 125, stderr }, result)
  }
})

test('--cpuset-cpus limits the processors', { skip }, async () => {
  assert.equal(await inBusybox(ctrd(), 'nproc', ['--cpuset-cpus', '0']), '1')
})

test('--cpuset-cpus of an absent processor is refused', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--cpuset-cpus', '999', 'busybox', 'true'])
  checkResult(
    { code: 125, stderr: /Requested CPUs are not available - requested 999, available: 0/ },
    result,
  )
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

test('--pids-limit stops a fork bomb', { skip }, async () => {
  assert.equal(readLimit(await sleeper(['--pids-limit', '5']), pids), '5')
  const result = await ctrd().ctr([
    'run',
    '--rm',
    '--pids-limit',
    '5',
    'busybox',
    'sh',
    '-c',
    'for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait',
  ])
  assert.match(result.stderr, /can't fork/)
})

test('with --oom-kill-disable a container that has no more memory waits, and an event says so', {
  skip: skip || (hasCgroupV1('memory') ? false : 'needs the memory controller of cgroup v1'),
}, async () => {
  const script = 'x=$(head -c 60000000 /dev/zero | tr "\\0" x)'
  const argv = ['run', '-d', '--name', 'waits', '-m', '10m', '--oom-kill-disable', 'busybox']
  await ctrd().ok([...argv, 'sh', '-c', script])
  const filter = ['--filter', 'container=waits', '--format', '{{.Action}}']
  await waitFor('the event oom', async () => {
    const events = await ctrd().ok(['events', '--since', '10m', '--until', '0s', ...filter])
    return events.split('\n').includes('oom')
  })
  assert.equal(
    await field(ctrd(), 'waits', '{{.State.Status}} {{.State.OOMKilled}}'),
    'running false',
  )
  await ctrd().ok(['rm', '-f', 'waits'])
})

test('memory that grows beyond the limit kills the container and inspect says so', {
  skip,
}, async () => {
  const result = await ctrd().ctr([
    'run',
    '--name',
    'oom',
    '-m',
    '10m',
    '--memory-swap',
    '10m',
    'busybox',
    'sh',
    '-c',
    'x=a; while :; do x=$x$x; done',
  ])
  checkResult({ code: 137 }, result)
  assert.equal(await field(ctrd(), 'oom', '{{.State.OOMKilled}} {{.State.ExitCode}}'), 'true 137')
  const events = await ctrd().ok([
    'events',
    '--since',
    '10m',
    '--until',
    String(Date.now() / 1000),
    '--filter',
    'container=oom',
    '--format',
    '{{.Action}}',
  ])
  assert.match(events, /start\noom\ndie/)
  const named = await ctrd().ok([
    'events',
    '--since',
    '10m',
    '--until',
    String(Date.now() / 1000),
    '--filter',
    'event=oom',
    '--format',
    '{{.Actor.Attributes.victim}} {{.Actor.Attributes.victimPid}}',
  ])
  // Where the kernel's log can be read.
  if (existsSync('/dev/kmsg')) assert.match(named, /^sh \d+$/m)
})

test('a child that is killed for its memory leaves pid 1 alone', { skip }, async () => {
  const script = 'sh -c "x=a; while :; do x=\\$x\\$x; done"; echo rc=$?'
  const result = await ctrd().ctr([
    'run',
    '--rm',
    '-m',
    '10m',
    '--memory-swap',
    '10m',
    'busybox',
    'sh',
    '-c',
    script,
  ])
  checkResult({ code: 0, stdout: 'rc=137\n' }, result)
})

const refused: CommandCase[] = [
  {
    name: 'swap below memory',
    args: ['-m', '50m', '--memory-swap', '20m'],
    stderr: /Minimum memoryswap limit should be larger than memory limit/,
  },
  {
    name: 'swap without memory',
    args: ['--memory-swap', '50m'],
    stderr: /You should always set the Memory limit when using Memoryswap limit/,
  },
  {
    name: 'memory with an unknown unit',
    args: ['-m', '10x'],
    stderr: /invalid (argument|size|suffix)/,
  },
  {
    name: 'negative memory',
    args: ['-m', '-5'],
    stderr: /invalid (argument|size)|Minimum memory limit/,
  },
  {
    name: 'memory below the minimum',
    args: ['-m', '4m'],
    stderr: /Minimum memory limit allowed is 6MB/,
  },
  {
    name: 'more processors than the host has',
    args: ['--cpus', String(cpus().length + 1)],
    stderr: /[Rr]ange of CPUs is from 0\.01 to/,
  },
  {
    name: 'processors that are no number',
    args: ['--cpus', 'many'],
    stderr: /invalid argument|Failed to parse/,
  },
]
for (const { name, args, stderr } of refused) {
  test(`${name} is refused and no container is left`, { skip }, async () => {
    const result = await ctrd().ctr(['run', ...args, 'busybox', 'true'])
    checkResult({ code: 125, ...(stderr === undefined ? {} : { stderr }) }, result)
    assert.equal(await ctrd().ok(['ps', '-aq']), '')
  })
}

test('unlimited swap is accepted', { skip }, async () => {
  await ctrd().ok(['run', '--rm', '-m', '50m', '--memory-swap', '-1', 'busybox', 'true'])
})

test('a device node of the host can be made but not opened', { skip }, async () => {
  const result = await ctrd().ctr([
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'mknod /tmp/sda b 8 0 && dd if=/tmp/sda of=/dev/null count=1',
  ])
  checkResult({ code: 1, stderr: /Operation not permitted/ }, result)
})

test('cgroups are read-only inside', { skip }, async () => {
  const result = await ctrd().ctr([
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do [ -d $d ] && mkdir $d/x; done',
  ])
  assert.match(result.stderr, /Read-only file system/)
  assert.doesNotMatch(result.stderr, /File exists/)
})
