import type { RuntimeBlockIO, RuntimeCpu, RuntimeMemory, RuntimeResources } from '@ctr/oci'

/** One file of one controller. The value is written with one write(2). */
export interface CgroupWrite {
  /** `memory`; for v2 it only says which controller must be enabled. */
  readonly controller: string
  readonly file: string
  readonly value: string
  /** The file does not exist on every kernel, and the container is worth running without it. */
  readonly optional?: true
}

/** What the mapping depends on. */
export interface LimitFacts {
  readonly version: 1 | 2
  readonly kernel: { readonly major: number; readonly minor: number }
  readonly hasSwapAccounting: boolean
}

/**
 * The files to write for a set of limits, in an order that works for a new cgroup. Devices are apart (devices.ts).
 * What cgroup v2 does not have (swappiness, OOM killer off, real-time, net_cls, net_prio) is left out there, as Docker
 * does with a warning. Throws RangeError for what cannot be expressed: v2 without memory for its swap, v1 shares that
 * the kernel would clamp in silence.
 */
export function cgroupLimits(resources: RuntimeResources, facts: LimitFacts): CgroupWrite[] {
  return facts.version === 1 ? limitsV1(resources, facts) : limitsV2(resources)
}

function limitsV1(resources: RuntimeResources, facts: LimitFacts): CgroupWrite[] {
  const { network, rdma, hugepageLimits } = resources
  return [
    ...memoryV1(resources.memory ?? {}, facts),
    ...cpuV1(resources.cpu ?? {}),
    ...cpuset(resources.cpu ?? {}),
    ...pids(resources.pids?.limit),
    ...blkioV1(resources.blockIO ?? {}, facts),
    ...(hugepageLimits ?? []).map(({ pageSize, limit }) =>
      write('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limit),
    ),
    ...optional('net_cls', 'net_cls.classid', network?.classID),
    ...(network?.priorities ?? []).map(({ name, priority }) =>
      write('net_prio', 'net_prio.ifpriomap', `${name} ${priority}`),
    ),
    ...rdmaLimits(rdma ?? {}),
  ]
}

/** memory.memsw counts memory and swap together and may never be below memory.limit. cgroup-v1/memory.rst */
function memoryV1(memory: RuntimeMemory, facts: LimitFacts): CgroupWrite[] {
  return [
    ...optional('memory', 'memory.limit_in_bytes', memory.limit),
    ...(facts.hasSwapAccounting
      ? optional('memory', 'memory.memsw.limit_in_bytes', memory.swap)
      : []),
    ...optional('memory', 'memory.soft_limit_in_bytes', memory.reservation),
    ...optional('memory', 'memory.kmem.tcp.limit_in_bytes', memory.kernelTCP),
    ...optional('memory', 'memory.swappiness', memory.swappiness),
    ...(memory.disableOOMKiller === true ? [write('memory', 'memory.oom_control', 1)] : []),
  ]
}

function cpuV1(cpu: RuntimeCpu): CgroupWrite[] {
  return [
    ...optional('cpu', 'cpu.idle', cpu.idle),
    ...optional('cpu', 'cpu.shares', sharesV1(cpu.shares)),
    // The kernel compares quota with period, so the period comes first; burst may not exceed the quota.
    ...optional('cpu', 'cpu.cfs_period_us', positive(cpu.period)),
    ...optional('cpu', 'cpu.cfs_quota_us', nonZero(cpu.quota)),
    ...optional('cpu', 'cpu.cfs_burst_us', cpu.burst),
    ...optional('cpu', 'cpu.rt_period_us', positive(cpu.realtimePeriod)),
    ...optional('cpu', 'cpu.rt_runtime_us', nonZero(cpu.realtimeRuntime)),
  ]
}

const SHARES_MIN = 2
const SHARES_MAX = 262_144

/** The kernel clamps without a word; who asked for less or more is told, in runc's words. */
function sharesV1(shares: number | undefined): number | undefined {
  const wanted = positive(shares)
  if (wanted === undefined) return undefined
  if (wanted < SHARES_MIN) throw new RangeError(`the minimum allowed cpu-shares is ${SHARES_MIN}`)
  if (wanted > SHARES_MAX) throw new RangeError(`the maximum allowed cpu-shares is ${SHARES_MAX}`)
  return wanted
}

/** The same files in both versions. */
function cpuset(cpu: RuntimeCpu): CgroupWrite[] {
  return [
    ...optional('cpuset', 'cpuset.cpus', nonEmpty(cpu.cpus)),
    ...optional('cpuset', 'cpuset.mems', nonEmpty(cpu.mems)),
  ]
}

/** Docker: 0 and -1 are unlimited. */
function pids(limit: number | undefined): CgroupWrite[] {
  if (limit === undefined) return []
  return [write('pids', 'pids.max', limit > 0 ? limit : 'max')]
}

/** CFQ, and with it blkio.weight, went in 5.0; BFQ has its own files. */
function blkioV1(io: RuntimeBlockIO, { kernel }: LimitFacts): CgroupWrite[] {
  const prefix = kernel.major >= 5 ? 'blkio.bfq.' : 'blkio.'
  return [
    ...optional('blkio', `${prefix}weight`, positive(io.weight)).map(asOptional),
    ...(io.weightDevice ?? []).flatMap(({ major, minor, weight }) =>
      optional(
        'blkio',
        `${prefix}weight_device`,
        weight === undefined ? undefined : `${major}:${minor} ${weight}`,
      ).map(asOptional),
    ),
    ...throttles(io).map(({ v1, device, rate }) =>
      write('blkio', `blkio.throttle.${v1}_device`, `${device} ${rate}`),
    ),
  ]
}

function limitsV2(resources: RuntimeResources): CgroupWrite[] {
  const { unified, rdma, hugepageLimits } = resources
  return [
    ...memoryV2(resources.memory ?? {}),
    ...cpuV2(resources.cpu ?? {}),
    ...cpuset(resources.cpu ?? {}),
    ...pids(resources.pids?.limit),
    ...ioV2(resources.blockIO ?? {}),
    ...(hugepageLimits ?? []).map(({ pageSize, limit }) =>
      write('hugetlb', `hugetlb.${pageSize}.max`, limit),
    ),
    ...rdmaLimits(rdma ?? {}),
    ...Object.entries(unified ?? {}).map(([file, value]) => unifiedWrite(file, value)),
  ]
}

/** v2 counts swap apart: swap.max = memsw - memory. */
function memoryV2({ limit, swap, reservation }: RuntimeMemory): CgroupWrite[] {
  return [
    ...optional('memory', 'memory.max', unlimited(limit)),
    ...optional('memory', 'memory.swap.max', unlimited(swapOnly(limit, swap))).map(asOptional),
    ...optional('memory', 'memory.low', unlimited(reservation)),
  ]
}

function swapOnly(limit: number | undefined, swap: number | undefined): number | undefined {
  // Unlimited memory without a word about swap means unlimited swap, as in v1.
  if (swap === undefined || swap === 0) return limit === -1 ? -1 : undefined
  if (swap === -1) return -1
  if (limit === undefined || limit <= 0) {
    throw new RangeError('memory+swap limit needs a memory limit')
  }
  if (swap < limit) throw new RangeError('memory+swap limit should be larger than memory limit')
  return swap - limit
}

const DEFAULT_CPU_PERIOD_US = 100_000

function cpuV2(cpu: RuntimeCpu): CgroupWrite[] {
  const { shares, quota, period } = cpu
  const hasMax = nonZero(quota) !== undefined || positive(period) !== undefined
  const max = quota !== undefined && quota > 0 ? String(quota) : 'max'
  return [
    ...optional('cpu', 'cpu.idle', cpu.idle),
    ...optional(
      'cpu',
      'cpu.weight',
      positive(shares) === undefined ? undefined : cpuWeight(shares ?? 0),
    ),
    ...(hasMax
      ? [write('cpu', 'cpu.max', `${max} ${positive(period) ?? DEFAULT_CPU_PERIOD_US}`)]
      : []),
    ...optional('cpu', 'cpu.max.burst', cpu.burst),
  ]
}

/**
 * v1 shares 2…262144 → v2 weight 1…10000, by the curve that maps both defaults on each other (1024 → 100), as runc 1.3.2,
 * crun 1.23 and Kubernetes do. The straight line of before gave a container with the default shares 39.
 * opencontainers/cgroups utils.go ConvertCPUSharesToCgroupV2Value
 */
export function cpuWeight(shares: number): number {
  if (shares <= SHARES_MIN) return 1
  if (shares >= SHARES_MAX) return 10_000
  const log = Math.log2(shares)
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
}

/** v1 blkio weight 10…1000 → v2 io.weight 1…10000. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990)
}

/** Which of BFQ and iocost a kernel has cannot be seen from outside: whichever file exists counts. */
function ioV2(io: RuntimeBlockIO): CgroupWrite[] {
  const weight = positive(io.weight)
  return [
    ...optional('io', 'io.bfq.weight', weight).map(asOptional),
    ...optional('io', 'io.weight', weight === undefined ? undefined : ioWeight(weight)).map(
      asOptional,
    ),
    ...(io.weightDevice ?? []).flatMap(({ major, minor, weight: own }) =>
      optional(
        'io',
        'io.bfq.weight',
        own === undefined ? undefined : `${major}:${minor} ${own}`,
      ).map(asOptional),
    ),
    ...throttles(io).map(({ v2, device, rate }) =>
      write('io', 'io.max', `${device} ${v2}=${rate}`),
    ),
  ]
}

function throttles(io: RuntimeBlockIO) {
  const lists = [
    ['read_bps', 'rbps', io.throttleReadBpsDevice],
    ['write_bps', 'wbps', io.throttleWriteBpsDevice],
    ['read_iops', 'riops', io.throttleReadIOPSDevice],
    ['write_iops', 'wiops', io.throttleWriteIOPSDevice],
  ] as const
  return lists.flatMap(([v1, v2, devices]) =>
    (devices ?? []).map(({ major, minor, rate }) => ({
      v1,
      v2,
      device: `${major}:${minor}`,
      rate,
    })),
  )
}

function rdmaLimits(rdma: NonNullable<RuntimeResources['rdma']>): CgroupWrite[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ]
    return write('rdma', 'rdma.max', `${device} ${limits.join(' ')}`)
  })
}

/** `unified` names files; a slash would leave the cgroup. runtime-spec config-linux.md#unified */
function unifiedWrite(file: string, value: string): CgroupWrite {
  if (!/^[a-z]+\.[A-Za-z0-9_.-]+$/.test(file)) {
    throw new RangeError(`unified resource ${JSON.stringify(file)} must be a file name`)
  }
  return write(file.slice(0, file.indexOf('.')), file, value)
}

function write(controller: string, file: string, value: number | string): CgroupWrite {
  return { controller, file, value: String(value) }
}

function optional(
  controller: string,
  file: string,
  value: number | string | undefined,
): CgroupWrite[] {
  return value === undefined ? [] : [write(controller, file, value)]
}

function asOptional(one: CgroupWrite): CgroupWrite {
  return { ...one, optional: true }
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function unlimited(value: number | undefined): number | string | undefined {
  return value === -1 ? 'max' : value
}
