import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RuntimeResources } from '@ctr/oci'
import { cgroupLimits, cpuWeight, ioWeight, type LimitFacts } from './limits.ts'

const v1: LimitFacts = { version: 1, kernel: { major: 6, minor: 1 }, hasSwapAccounting: true }
const v2: LimitFacts = { ...v1, version: 2 }
const MiB = 1024 * 1024

function texts(resources: RuntimeResources, facts: LimitFacts): string[] {
  return cgroupLimits(resources, facts).map(
    ({ file, value, optional }) => `${file}${optional === true ? '?' : ''} ${value}`,
  )
}

interface Row {
  readonly what: string
  readonly resources: RuntimeResources
  readonly v1: string[]
  readonly v2: string[]
}

const device = { major: 8, minor: 0 }
const ROWS: Row[] = [
  { what: 'nothing', resources: {}, v1: [], v2: [] },
  {
    what: 'memory without swap',
    resources: { memory: { limit: 10 * MiB, swap: 10 * MiB } },
    v1: ['memory.limit_in_bytes 10485760', 'memory.memsw.limit_in_bytes 10485760'],
    v2: ['memory.max 10485760', 'memory.swap.max? 0'],
  },
  {
    what: 'memory and swap',
    resources: { memory: { limit: 10 * MiB, swap: 30 * MiB, reservation: 5 * MiB } },
    v1: [
      'memory.limit_in_bytes 10485760',
      'memory.memsw.limit_in_bytes 31457280',
      'memory.soft_limit_in_bytes 5242880',
    ],
    v2: ['memory.max 10485760', 'memory.swap.max? 20971520', 'memory.low 5242880'],
  },
  {
    what: 'unlimited swap',
    resources: { memory: { limit: 10 * MiB, swap: -1 } },
    v1: ['memory.limit_in_bytes 10485760', 'memory.memsw.limit_in_bytes -1'],
    v2: ['memory.max 10485760', 'memory.swap.max? max'],
  },
  {
    what: 'unlimited memory',
    resources: { memory: { limit: -1 } },
    v1: ['memory.limit_in_bytes -1'],
    v2: ['memory.max max', 'memory.swap.max? max'],
  },
  {
    what: 'swappiness and no OOM killer, which v2 lacks',
    resources: { memory: { swappiness: 10, disableOOMKiller: true } },
    v1: ['memory.swappiness 10', 'memory.oom_control 1'],
    v2: [],
  },
  {
    what: 'half a cpu',
    resources: { cpu: { quota: 50_000, period: 100_000 } },
    v1: ['cpu.cfs_period_us 100000', 'cpu.cfs_quota_us 50000'],
    v2: ['cpu.max 50000 100000'],
  },
  {
    what: 'no cpu quota',
    resources: { cpu: { quota: -1 } },
    v1: ['cpu.cfs_quota_us -1'],
    v2: ['cpu.max max 100000'],
  },
  {
    what: 'cpu shares and set',
    resources: { cpu: { shares: 512, cpus: '0-1', mems: '0' } },
    v1: ['cpu.shares 512', 'cpuset.cpus 0-1', 'cpuset.mems 0'],
    v2: ['cpu.weight 59', 'cpuset.cpus 0-1', 'cpuset.mems 0'],
  },
  {
    what: 'zero values, which mean "not set"',
    resources: { cpu: { shares: 0, quota: 0, period: 0, cpus: '', mems: '' } },
    v1: [],
    v2: [],
  },
  { what: 'pids', resources: { pids: { limit: 5 } }, v1: ['pids.max 5'], v2: ['pids.max 5'] },
  {
    what: 'unlimited pids',
    resources: { pids: { limit: -1 } },
    v1: ['pids.max max'],
    v2: ['pids.max max'],
  },
  {
    what: 'block IO',
    resources: {
      blockIO: {
        weight: 500,
        throttleReadBpsDevice: [{ ...device, rate: 1048576 }],
        throttleWriteIOPSDevice: [{ ...device, rate: 100 }],
      },
    },
    v1: [
      'blkio.bfq.weight? 500',
      'blkio.throttle.read_bps_device 8:0 1048576',
      'blkio.throttle.write_iops_device 8:0 100',
    ],
    v2: [
      'io.bfq.weight? 500',
      'io.weight? 4950',
      'io.max 8:0 rbps=1048576',
      'io.max 8:0 wiops=100',
    ],
  },
  {
    what: 'huge pages',
    resources: { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
    v1: ['hugetlb.2MB.limit_in_bytes 0'],
    v2: ['hugetlb.2MB.max 0'],
  },
  {
    what: 'files of v2',
    resources: { unified: { 'memory.high': '1000' } },
    v1: [],
    v2: ['memory.high 1000'],
  },
]

for (const row of ROWS) {
  test(`limits: ${row.what}`, () => {
    assert.deepEqual(texts(row.resources, v1), row.v1)
    assert.deepEqual(texts(row.resources, v2), row.v2)
  })
}

test('a kernel without swap accounting has no file for it', () => {
  const memory = { limit: MiB, swap: MiB }
  assert.deepEqual(texts({ memory }, { ...v1, hasSwapAccounting: false }), [
    'memory.limit_in_bytes 1048576',
  ])
})

test('kernels before 5.0 have the weight of CFQ', () => {
  const old = { ...v1, kernel: { major: 4, minor: 19 } }
  assert.deepEqual(texts({ blockIO: { weight: 10 } }, old), ['blkio.weight? 10'])
})

test('v2 refuses a swap limit that it cannot express', () => {
  for (const memory of [{ swap: 100 }, { limit: 100, swap: 50 }, { limit: -1, swap: 50 }]) {
    assert.throws(() => cgroupLimits({ memory }, v2), RangeError)
  }
})

test('a unified file name stays inside the cgroup', () => {
  for (const name of ['../memory.max', 'a/b.c', '', 'memory', '.x']) {
    assert.throws(() => cgroupLimits({ unified: { [name]: '1' } }, v2), RangeError, name)
  }
})

test('v1 refuses shares that the kernel would clamp', () => {
  for (const shares of [1, 262_145]) {
    assert.throws(() => cgroupLimits({ cpu: { shares } }, v1), /m(in|ax)imum allowed cpu-shares/)
  }
})

test('shares and weights convert as runc does it', () => {
  assert.deepEqual(
    [2, 512, 1024, 2048, 262144, 0, 10 ** 9].map(cpuWeight),
    [1, 59, 100, 174, 10000, 1, 10000],
  )
  assert.deepEqual([10, 500, 1000].map(ioWeight), [1, 4950, 10000])
})
