import { readFileSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { type CgroupLayout, cgroupDirectory, findHierarchy } from './layout.ts'

/**
 * Counters of one cgroup. Fields of Docker's stats API with units in the names; what a kernel does not count is 0 or
 * an empty list, and `undefined` where Docker leaves the field out.
 */
export interface CgroupStats {
  readonly cpu: CpuStats
  readonly memory: MemoryStats
  readonly blockIo: BlockIoStats
  readonly pids: { readonly current: number; readonly limit: number | undefined }
  /** Pressure stall information, where the kernel gives it (v2 files, also of a hybrid host). */
  readonly pressure: Readonly<Record<'cpu' | 'memory' | 'io', Pressure | undefined>>
}

export interface CpuStats {
  readonly totalNs: number
  readonly userNs: number
  readonly kernelNs: number
  /** v1 only. */
  readonly perCpuNs: readonly number[] | undefined
  readonly periods: number
  readonly throttledPeriods: number
  readonly throttledNs: number
}

export interface MemoryStats {
  readonly usageBytes: number
  /** v1, and v2 since kernel 5.19. */
  readonly maxUsageBytes: number | undefined
  /** Undefined: unlimited. */
  readonly limitBytes: number | undefined
  /** v1 only. */
  readonly failures: number | undefined
  /** memory.stat as it is. */
  readonly stat: Readonly<Record<string, number>>
  /** Usage without the file cache that can be dropped at once: what Docker's CLI shows. */
  readonly workingSetBytes: number
  readonly swapBytes: number | undefined
  readonly oomKills: number
}

export interface BlockIoEntry {
  readonly major: number
  readonly minor: number
  /** `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total` (v1); `read`, `write` (v2). */
  readonly op: string
  readonly value: number
}

export interface BlockIoStats {
  readonly serviceBytes: readonly BlockIoEntry[]
  readonly serviced: readonly BlockIoEntry[]
}

/** `some` and `full` averages in percent, totals in microseconds. Documentation/accounting/psi.rst */
export interface Pressure {
  readonly some: PressureLine
  readonly full: PressureLine | undefined
}

export interface PressureLine {
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  readonly totalUs: number
}

/** Reads the counters of cgroup `path`; a cgroup that is gone counts nothing. */
export function readCgroupStats(layout: CgroupLayout, path: string): CgroupStats {
  const reader = new CgroupReader(layout, path)
  const isV1 = (controller: string): boolean => findHierarchy(layout, controller)?.version === 1
  return {
    cpu: isV1('cpuacct') || isV1('cpu') ? cpuV1(reader) : cpuV2(reader),
    memory: isV1('memory') ? memoryV1(reader) : memoryV2(reader),
    blockIo: isV1('blkio') ? blockIoV1(reader) : blockIoV2(reader),
    pids: {
      current: number(reader.text('pids', 'pids.current')),
      limit: limit(reader.text('pids', 'pids.max')),
    },
    pressure: {
      cpu: parsePressure(reader.unified('cpu.pressure')),
      memory: parsePressure(reader.unified('memory.pressure')),
      io: parsePressure(reader.unified('io.pressure')),
    },
  }
}

/** Reads files of one cgroup; a file that does not exist is an empty text. */
class CgroupReader {
  readonly #layout: CgroupLayout
  readonly #path: string

  constructor(layout: CgroupLayout, path: string) {
    this.#layout = layout
    this.#path = path
  }

  text(controller: string, file: string): string {
    const hierarchy =
      findHierarchy(this.#layout, controller) ??
      this.#layout.hierarchies.find((one) => one.version === 2)
    return hierarchy === undefined ? '' : read(`${cgroupDirectory(hierarchy, this.#path)}/${file}`)
  }

  unified(file: string): string {
    const hierarchy = this.#layout.hierarchies.find((one) => one.version === 2)
    return hierarchy === undefined ? '' : read(`${cgroupDirectory(hierarchy, this.#path)}/${file}`)
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // ENODEV: the cgroup went while we read. EOPNOTSUPP: pressure accounting is off.
    if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'EACCES')) return ''
    throw error
  }
}

const NS_PER_US = 1000

function cpuV1(reader: CgroupReader): CpuStats {
  const stat = parseKeyed(reader.text('cpu', 'cpu.stat'))
  return {
    totalNs: number(reader.text('cpuacct', 'cpuacct.usage')),
    userNs: number(reader.text('cpuacct', 'cpuacct.usage_user')),
    kernelNs: number(reader.text('cpuacct', 'cpuacct.usage_sys')),
    perCpuNs: reader
      .text('cpuacct', 'cpuacct.usage_percpu')
      .split(/\s+/)
      .filter(Boolean)
      .map(Number),
    periods: stat['nr_periods'] ?? 0,
    throttledPeriods: stat['nr_throttled'] ?? 0,
    throttledNs: stat['throttled_time'] ?? 0,
  }
}

function cpuV2(reader: CgroupReader): CpuStats {
  const stat = parseKeyed(reader.text('cpu', 'cpu.stat'))
  return {
    totalNs: (stat['usage_usec'] ?? 0) * NS_PER_US,
    userNs: (stat['user_usec'] ?? 0) * NS_PER_US,
    kernelNs: (stat['system_usec'] ?? 0) * NS_PER_US,
    perCpuNs: undefined,
    periods: stat['nr_periods'] ?? 0,
    throttledPeriods: stat['nr_throttled'] ?? 0,
    throttledNs: (stat['throttled_usec'] ?? 0) * NS_PER_US,
  }
}

function memoryV1(reader: CgroupReader): MemoryStats {
  const stat = parseKeyed(reader.text('memory', 'memory.stat'))
  const usageBytes = number(reader.text('memory', 'memory.usage_in_bytes'))
  return {
    usageBytes,
    maxUsageBytes: number(reader.text('memory', 'memory.max_usage_in_bytes')),
    limitBytes: limit(reader.text('memory', 'memory.limit_in_bytes')),
    failures: number(reader.text('memory', 'memory.failcnt')),
    stat,
    workingSetBytes: Math.max(0, usageBytes - (stat['total_inactive_file'] ?? 0)),
    swapBytes: stat['total_swap'],
    oomKills: parseKeyed(reader.text('memory', 'memory.oom_control'))['oom_kill'] ?? 0,
  }
}

function memoryV2(reader: CgroupReader): MemoryStats {
  const stat = parseKeyed(reader.text('memory', 'memory.stat'))
  const usageBytes = number(reader.text('memory', 'memory.current'))
  const peak = reader.text('memory', 'memory.peak')
  const swap = reader.text('memory', 'memory.swap.current')
  return {
    usageBytes,
    maxUsageBytes: peak === '' ? undefined : number(peak),
    limitBytes: limit(reader.text('memory', 'memory.max')),
    failures: undefined,
    stat,
    workingSetBytes: Math.max(0, usageBytes - (stat['inactive_file'] ?? 0)),
    swapBytes: swap === '' ? undefined : number(swap),
    oomKills: parseKeyed(reader.text('memory', 'memory.events'))['oom_kill'] ?? 0,
  }
}

function blockIoV1(reader: CgroupReader): BlockIoStats {
  // BFQ has counted nothing of devices that it does not schedule: a total of 0. As runc.
  const counted = (name: string): BlockIoEntry[] => {
    const byScheduler = parseBlkio(reader.text('blkio', `blkio.bfq.${name}`))
    if (byScheduler.length > 0) return byScheduler
    return parseBlkio(reader.text('blkio', `blkio.throttle.${name}`))
  }
  return {
    serviceBytes: counted('io_service_bytes_recursive'),
    serviced: counted('io_serviced_recursive'),
  }
}

function blockIoV2(reader: CgroupReader): BlockIoStats {
  const stat = parseIoStat(reader.text('io', 'io.stat'))
  const list = (read: string, write: string): BlockIoEntry[] =>
    stat.flatMap(({ major, minor, values }) => [
      { major, minor, op: 'read', value: values[read] ?? 0 },
      { major, minor, op: 'write', value: values[write] ?? 0 },
    ])
  return { serviceBytes: list('rbytes', 'wbytes'), serviced: list('rios', 'wios') }
}

/** Lines `8:0 Read 4096`; the last line, `Total 4096`, belongs to no device. */
function parseBlkio(text: string): BlockIoEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line)
    if (match === null) return []
    const [, major, minor, op = '', value] = match
    return [{ major: Number(major), minor: Number(minor), op, value: Number(value) }]
  })
}

/** Lines `8:0 rbytes=1 wbytes=2 rios=3 …`. */
function parseIoStat(
  text: string,
): { major: number; minor: number; values: Record<string, number> }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (.*)$/.exec(line)
    if (match === null) return []
    const values = Object.fromEntries(
      (match[3] ?? '').split(' ').map((pair): [string, number] => {
        const [key = '', value] = pair.split('=')
        return [key, Number(value)]
      }),
    )
    return [{ major: Number(match[1]), minor: Number(match[2]), values }]
  })
}

/** Lines `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`. */
function parsePressure(text: string): Pressure | undefined {
  const line = (kind: string): PressureLine | undefined => {
    const match = new RegExp(
      `^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)`,
      'm',
    ).exec(text)
    if (match === null) return undefined
    const [avg10 = 0, avg60 = 0, avg300 = 0, totalUs = 0] = match.slice(1).map(Number)
    return { avg10, avg60, avg300, totalUs }
  }
  const some = line('some')
  return some === undefined ? undefined : { some, full: line('full') }
}

/** Lines `key value`. */
function parseKeyed(text: string): Record<string, number> {
  const values: Record<string, number> = {}
  for (const line of text.split('\n')) {
    const [key, value] = line.split(' ')
    if (key !== undefined && value !== undefined && value !== '') values[key] = Number(value)
  }
  return values
}

function number(text: string): number {
  const value = Number.parseInt(text, 10)
  return Number.isNaN(value) ? 0 : value
}

/** v1 writes "unlimited" as the largest multiple of the page size below 2^63. */
const V1_UNLIMITED = 2 ** 62

function limit(text: string): number | undefined {
  const value = text.trim()
  if (value === '' || value === 'max' || Number(value) >= V1_UNLIMITED) return undefined
  return Number(value)
}
