import assert from 'node:assert/strict'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { requires, waitFor } from '@ctr/testkit'
import type { LimitFile } from './cgroup-files.ts'
import { cgroupDirectories, cgroupDirectory, hasCgroupV1, readLimit } from './cgroup-files.ts'
import type { CommandCase } from './daemon-fixture.ts'
import { checkResult, field, inBusybox, pidOf, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

const MiB = 1024 * 1024

/** Path of the block device that a directory is on; undefined: it is on none. */
function diskOf(directory: string): string | undefined {
  const { major, minor } = deviceNumbers(statSync(directory).dev)
  const uevent = `/sys/dev/block/${major}:${minor}/uevent`
  if (!existsSync(uevent)) return undefined
  const [, name = ''] = /^DEVNAME=(.+)$/m.exec(readFileSync(uevent, 'utf8')) ?? []
  return existsSync(`/dev/${name}`) ? `/dev/${name}` : undefined
}

/** glibc's gnu_dev_major(3) */
function deviceNumbers(dev: number): { major: number; minor: number } {
  const bits = BigInt(dev)
  return {
    major: Number((bits >> 8n) & 0xfffn),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xfff00n)),
  }
}

const noDisk = diskOf('/tmp') === undefined ? '/tmp is not on a block device' : false
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
  const ids = await Promise.all(
    ['0.5', '0.25'].map((share) => ctrd().ok(['run', '-d', '--cpus', share, ...loop])),
  )
  const used = async (): Promise<number[]> => {
    const stats = ids.map(async (id) => {
      const path = `/containers/${id}/stats?stream=0&one-shot=1`
      const answer = (await ctrd().request('GET', path)).json()
      return (answer as { cpu_stats: { cpu_usage: { total_usage: number } } }).cpu_stats.cpu_usage
        .total_usage
    })
    return await Promise.all(stats)
  }
  // Each may miss its share on a busy host, but not more than that: some two seconds must show the ratio.
  const ratios: number[] = []
  await waitFor(
    'a ratio of 2 within a tenth',
    async () => {
      const before = await used()
      await delay(2000)
      const after = await used()
      const [half = 0, quarter = 1] = after.map((ns, index) => ns - (before[index] ?? 0))
      ratios.push(half / quarter)
      return Math.abs(half / quarter - 2) < 0.2
    },
    120_000,
  )
})

test('--device-read-bps slows reads of a block device down', { skip: skip || noDisk }, async () => {
  const directory = join(ctrd().root, 'disk')
  mkdirSync(directory)
  const file = openSync(join(directory, 'f'), 'w')
  writeSync(file, Buffer.alloc(3 * MiB, 'x'))
  fsyncSync(file)
  closeSync(file)
  const read = async (flags: readonly string[]): Promise<number> => {
    const script = 'dd if=/disk/f of=/dev/null bs=64k iflag=direct'
    const startedMs = performance.now()
    await inBusybox(ctrd(), script, ['-v', `${directory}:/disk`, ...flags])
    return performance.now() - startedMs
  }
  const device = diskOf(directory) ?? ''
  const slow = await read(['--device-read-bps', `${device}:1mb`])
  assert.ok(slow > 2000, `3 MiB at 1 MiB a second took ${slow} ms`)
  assert.ok((await read([])) < slow, 'without a limit it is not faster')
})

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
    'for i in 1 2 3 4 5 6 7 8; do sleep 3 & done; wait',
  ])
  assert.match(result.stderr, /can't fork/)
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
