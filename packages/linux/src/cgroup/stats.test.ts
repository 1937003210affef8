import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CgroupLayout } from './layout.ts'
import { readCgroupStats } from './stats.ts'

/** A directory tree in the shape of a hierarchy: the reader knows files only. */
function layoutWith(
  files: Record<string, string>,
  layout: CgroupLayout,
): Disposable & { root: CgroupLayout } {
  const base = mkdtempSync(join(tmpdir(), 'ctr-stats-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(base, path, '..'), { recursive: true })
    writeFileSync(join(base, path), text)
  }
  return {
    root: {
      ...layout,
      hierarchies: layout.hierarchies.map((one) => ({ ...one, mountpoint: base + one.mountpoint })),
    },
    [Symbol.dispose]: () => rmSync(base, { recursive: true }),
  }
}

test('v2 files become the numbers of the stats API', () => {
  using tree = layoutWith(
    {
      'c/cpu.stat':
        'usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n',
      'c/memory.current': '1000\n',
      'c/memory.peak': '2000\n',
      'c/memory.max': 'max\n',
      'c/memory.swap.current': '0\n',
      'c/memory.stat': 'anon 600\ninactive_file 300\n',
      'c/memory.events': 'oom 3\noom_kill 2\n',
      'c/io.stat': '254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n',
      'c/pids.current': '3\n',
      'c/pids.max': '100\n',
      'c/memory.pressure':
        'some avg10=1.50 avg60=0.10 avg300=0.00 total=42\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n',
    },
    {
      mode: 'v2',
      hierarchies: [
        {
          version: 2,
          controllers: ['cpu', 'memory', 'io', 'pids'],
          mountpoint: '',
          root: '/',
          own: '/',
        },
      ],
    },
  )
  const stats = readCgroupStats(tree.root, '/c')
  assert.deepEqual(stats.cpu, {
    totalNs: 3_000_000,
    userNs: 2_000_000,
    kernelNs: 1_000_000,
    perCpuNs: undefined,
    periods: 5,
    throttledPeriods: 2,
    throttledNs: 7000,
  })
  assert.equal(stats.memory.workingSetBytes, 700)
  assert.equal(stats.memory.limitBytes, undefined)
  assert.equal(stats.memory.oomKills, 2)
  assert.deepEqual(stats.blockIo.serviceBytes, [
    { major: 254, minor: 0, op: 'read', value: 10 },
    { major: 254, minor: 0, op: 'write', value: 20 },
  ])
  assert.deepEqual(stats.pids, { current: 3, limit: 100 })
  assert.equal(stats.pressure.memory?.some.avg10, 1.5)
  assert.equal(stats.pressure.memory?.full?.totalUs, 7)
  assert.equal(stats.pressure.cpu, undefined)
})

test('v1 files become the numbers of the stats API', () => {
  const names = ['cpu', 'cpuacct', 'memory', 'blkio', 'pids']
  using tree = layoutWith(
    {
      'cpu/c/cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 7\n',
      'cpuacct/c/cpuacct.usage': '30\n',
      'cpuacct/c/cpuacct.usage_user': '20\n',
      'cpuacct/c/cpuacct.usage_sys': '10\n',
      'cpuacct/c/cpuacct.usage_percpu': '12 18 \n',
      'memory/c/memory.usage_in_bytes': '1000\n',
      'memory/c/memory.max_usage_in_bytes': '2000\n',
      'memory/c/memory.limit_in_bytes': '9223372036854771712\n',
      'memory/c/memory.failcnt': '4\n',
      'memory/c/memory.stat': 'total_inactive_file 1300\n',
      'memory/c/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      'blkio/c/blkio.bfq.io_service_bytes_recursive': 'Total 0\n',
      'blkio/c/blkio.throttle.io_service_bytes_recursive':
        '254:0 Read 512\n254:0 Total 512\nTotal 512\n',
      'pids/c/pids.current': '1\n',
      'pids/c/pids.max': 'max\n',
    },
    {
      mode: 'v1',
      hierarchies: names.map((name) => ({
        version: 1,
        controllers: [name],
        mountpoint: `/${name}`,
        root: '/',
        own: '/',
      })),
    },
  )
  const stats = readCgroupStats(tree.root, '/c')
  assert.deepEqual(stats.cpu.perCpuNs, [12, 18])
  assert.equal(stats.cpu.throttledNs, 7)
  assert.equal(stats.memory.limitBytes, undefined)
  assert.equal(stats.memory.workingSetBytes, 0)
  assert.equal(stats.memory.failures, 4)
  assert.equal(stats.memory.oomKills, 1)
  assert.deepEqual(stats.blockIo.serviceBytes, [
    { major: 254, minor: 0, op: 'Read', value: 512 },
    { major: 254, minor: 0, op: 'Total', value: 512 },
  ])
  assert.deepEqual(stats.pids, { current: 1, limit: undefined })
})

test('a cgroup that is gone counts nothing', () => {
  using tree = layoutWith(
    {},
    {
      mode: 'v2',
      hierarchies: [{ version: 2, controllers: ['cpu'], mountpoint: '', root: '/', own: '/' }],
    },
  )
  const stats = readCgroupStats(tree.root, '/gone')
  assert.equal(stats.cpu.totalNs, 0)
  assert.equal(stats.memory.usageBytes, 0)
  assert.deepEqual(stats.blockIo.serviceBytes, [])
})
