import { readFileSync } from 'node:fs'
import { type BlockIoEntry, cgroupDirectory, findHierarchy, readCgroupStats } from '@ctr/linux'
import type { ContainerRecord } from './record.ts'

/** The counters in the shape of runc's `events --stats`. runc types/events.go */
export function runcStats(record: ContainerRecord): object {
  const { cgroups, cgroupPath } = record
  const { cpu, memory, blockIo, pids } = readCgroupStats(cgroups, cgroupPath)
  const file = (controller: string, name: string): string => {
    const hierarchy = findHierarchy(cgroups, controller)
    if (hierarchy === undefined) return ''
    try {
      return readFileSync(`${cgroupDirectory(hierarchy, cgroupPath)}/${name}`, 'utf8').trim()
    } catch {
      return ''
    }
  }
  const number = (controller: string, name: string): number =>
    Number.parseInt(file(controller, name), 10) || 0
  const isV1 = findHierarchy(cgroups, 'memory')?.version === 1
  const usage = (kind: string): object => ({
    limit: number('memory', `memory.${kind}limit_in_bytes`),
    usage: number('memory', `memory.${kind}usage_in_bytes`),
    max: number('memory', `memory.${kind}max_usage_in_bytes`),
    failcnt: number('memory', `memory.${kind}failcnt`),
  })
  return {
    cpu: {
      usage: {
        total: cpu.totalNs,
        ...(cpu.perCpuNs === undefined
          ? {}
          : { percpu: cpu.perCpuNs, ...perCpu(file('cpuacct', 'cpuacct.usage_all')) }),
        kernel: cpu.kernelNs,
        user: cpu.userNs,
      },
      throttling: nonZero({
        periods: cpu.periods,
        throttledPeriods: cpu.throttledPeriods,
        throttledTime: cpu.throttledNs,
      }),
    },
    cpuset: cpuset(file, number),
    memory: isV1
      ? {
          cache: memory.stat['cache'] || undefined,
          usage: usage(''),
          swap: usage('memsw.'),
          kernel: usage('kmem.'),
          kernelTCP: usage('kmem.tcp.'),
          raw: memory.stat,
        }
      : {
          cache: memory.stat['file'] || undefined,
          usage: {
            limit: memory.limitBytes ?? UNLIMITED,
            usage: memory.usageBytes,
            max: memory.maxUsageBytes ?? 0,
            failcnt: 0,
          },
          swap: {
            limit: Number(file('memory', 'memory.swap.max')) || UNLIMITED,
            usage: memory.swapBytes ?? 0,
            failcnt: 0,
          },
          kernel: { limit: 0, failcnt: 0 },
          kernelTCP: { limit: 0, failcnt: 0 },
          raw: memory.stat,
        },
    pids: { current: pids.current, ...(pids.limit === undefined ? {} : { limit: pids.limit }) },
    blkio: {
      ...list('ioServiceBytesRecursive', blockIo.serviceBytes),
      ...list('ioServicedRecursive', blockIo.serviced),
    },
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: null,
  }
}

/** Just below math.MaxUint64, so that whoever parses it as one can. */
const UNLIMITED = 2 ** 64 - 2 ** 11

function nonZero(values: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0))
}

/** Lines `cpu user system` below a heading. */
function perCpu(text: string): object {
  const rows = text
    .split('\n')
    .slice(1)
    .map((line) => line.split(' ').map(Number))
  return rows.length === 0
    ? {}
    : { percpu_kernel: rows.map((row) => row[2] ?? 0), percpu_user: rows.map((row) => row[1] ?? 0) }
}

function cpuset(
  file: (controller: string, name: string) => string,
  number: (controller: string, name: string) => number,
): object {
  const flag = (name: string): number => number('cpuset', `cpuset.${name}`)
  return {
    cpus: numbers(file('cpuset', 'cpuset.cpus') || file('cpuset', 'cpuset.cpus.effective')),
    cpu_exclusive: flag('cpu_exclusive'),
    mems: numbers(file('cpuset', 'cpuset.mems') || file('cpuset', 'cpuset.mems.effective')),
    mem_hardwall: flag('mem_hardwall'),
    mem_exclusive: flag('mem_exclusive'),
    memory_migrate: flag('memory_migrate'),
    memory_spread_page: flag('memory_spread_page'),
    memory_spread_slab: flag('memory_spread_slab'),
    memory_pressure: flag('memory_pressure'),
    sched_load_balance: flag('sched_load_balance'),
    sched_relax_domain_level: flag('sched_relax_domain_level'),
  }
}

/** `0-2,5` → 0, 1, 2, 5. */
function numbers(text: string): number[] {
  return text
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

function list(name: string, entries: readonly BlockIoEntry[]): object {
  return entries.length === 0 ? {} : { [name]: entries }
}
