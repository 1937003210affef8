import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ContainerStats } from '@ctr/api'
import { isErrno } from '@ctr/errdefs'
import { type CgroupStats, type Pressure, readCgroupStats } from '@ctr/linux'
import type { Engine } from '../engine.ts'
import { containerCgroup } from './leftovers.ts'
import { formatTime } from './log-records.ts'
import { isAlive } from './state.ts'

const NEVER = '0001-01-01T00:00:00Z'

type InterfaceStats = NonNullable<ContainerStats['networks']>[string]

/** One sample; zeros for a container that does not run. The document is Docker's, see Engine API ContainerStats. */
export async function containerStats(engine: Engine, reference: string): Promise<ContainerStats> {
  const container = engine.containers.get(reference)
  const { id, name, state } = container
  const base = {
    name: `/${name}`,
    id,
    preread: NEVER,
    num_procs: 0,
    storage_stats: {},
    precpu_stats: NO_CPU,
  } as const
  if (!isAlive(state)) {
    return {
      ...base,
      read: NEVER,
      pids_stats: {},
      cpu_stats: NO_CPU,
      memory_stats: {},
      blkio_stats: renderBlockIo({ serviceBytes: [], serviced: [] }),
    }
  }
  const stats = readCgroupStats(engine.host.cgroups, containerCgroup(engine, container))
  const networks = await readInterfaces(state.pid)
  const { pids, memory } = stats
  return {
    ...base,
    read: formatTime(engine.clock.nowNs()),
    pids_stats: {
      current: pids.current,
      ...(pids.limit === undefined ? {} : { limit: pids.limit }),
    },
    cpu_stats: renderCpu(stats.cpu, engine.cpuCount),
    memory_stats: {
      usage: memory.usageBytes,
      stats: { ...memory.stat },
      ...(memory.maxUsageBytes === undefined ? {} : { max_usage: memory.maxUsageBytes }),
      ...(memory.failures === undefined ? {} : { failcnt: memory.failures }),
      limit: Math.min(memory.limitBytes ?? Number.MAX_SAFE_INTEGER, hostMemoryBytes()),
    },
    blkio_stats: renderBlockIo(stats.blockIo),
    ...(networks === undefined ? {} : { networks }),
    pressure: {
      cpu: renderPressure(stats.pressure.cpu),
      memory: renderPressure(stats.pressure.memory),
      io: renderPressure(stats.pressure.io),
    },
  }
}

const NO_CPU: ContainerStats['cpu_stats'] = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
}

function renderCpu(cpu: CgroupStats['cpu'], cpuCount: number): ContainerStats['cpu_stats'] {
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      ...(cpu.perCpuNs === undefined ? {} : { percpu_usage: [...cpu.perCpuNs] }),
      usage_in_kernelmode: cpu.kernelNs,
      usage_in_usermode: cpu.userNs,
    },
    system_cpu_usage: systemCpuNs(),
    online_cpus: cpuCount,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  }
}

/** sysconf(_SC_CLK_TCK) is 100 on every architecture that Linux has today. */
const NS_PER_TICK = 10_000_000
/** user nice system idle iowait irq softirq steal: guest time is in user already. proc_stat(5) */
const CPU_FIELDS = 8

function systemCpuNs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  const fields = line
    .trim()
    .split(/\s+/)
    .slice(1, 1 + CPU_FIELDS)
  return fields.reduce((sum, ticks) => sum + Number(ticks) * NS_PER_TICK, 0)
}

function hostMemoryBytes(): number {
  const kib = /^MemTotal:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
  return Number(kib ?? 0) * 1024
}

function renderBlockIo(blockIo: CgroupStats['blockIo']): ContainerStats['blkio_stats'] {
  return {
    io_service_bytes_recursive: [...blockIo.serviceBytes],
    io_serviced_recursive: [...blockIo.serviced],
    io_queue_recursive: [],
    io_service_time_recursive: [],
    io_wait_time_recursive: [],
    io_merged_recursive: [],
    io_time_recursive: [],
    sectors_recursive: [],
  }
}

type RenderedPressure = NonNullable<ContainerStats['pressure']>['cpu']

function renderPressure(pressure: Pressure | undefined): RenderedPressure {
  if (pressure === undefined) return undefined
  const line = ({ avg10, avg60, avg300, totalUs }: Pressure['some']) => ({
    avg10,
    avg60,
    avg300,
    total: totalUs,
  })
  return {
    some: line(pressure.some),
    ...(pressure.full === undefined ? {} : { full: line(pressure.full) }),
  }
}

/** Interfaces as the container sees them. proc_pid_net(5): the file is of the process's own network namespace. */
async function readInterfaces(pid: number): Promise<Record<string, InterfaceStats> | undefined> {
  let text: string
  try {
    text = await readFile(`/proc/${pid}/net/dev`, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) return undefined // it has just ended
    throw error
  }
  const interfaces = text
    .split('\n')
    .slice(2)
    .flatMap((line): [string, InterfaceStats][] => {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon).trim()
      if (colon === -1 || name === 'lo') return []
      const counters = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .map(Number)
      const at = (index: number): number => counters[index] ?? 0
      return [
        [
          name,
          {
            rx_bytes: at(0),
            rx_packets: at(1),
            rx_errors: at(2),
            rx_dropped: at(3),
            tx_bytes: at(8),
            tx_packets: at(9),
            tx_errors: at(10),
            tx_dropped: at(11),
          },
        ],
      ]
    })
  return interfaces.length === 0 ? undefined : Object.fromEntries(interfaces)
}
