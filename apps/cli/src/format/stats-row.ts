import type { ContainerStats } from '@ctr/api'
import type { ListFormat, Row } from './list.ts'
import { formatMemory, formatSize } from './size.ts'
import { shortId } from './text.ts'

/** A row of `stats` (docker/cli container/formatter_stats.go, stats_helpers.go). */
export interface StatsValues {
  /** As typed. */
  readonly container: string
  readonly id: string
  readonly name: string
  readonly sample: Sample | undefined
}

interface Sample {
  readonly cpuPercent: number
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly pids: number
}

export const STATS_LIST: ListFormat = {
  headers: {
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
  table:
    '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}',
  quiet: '{{.ID}}',
  rowType: '*container.statsContext',
}

export function emptyStats(container: string): StatsValues {
  return { container, id: '', name: '', sample: undefined }
}

export function statsValues(container: string, stats: ContainerStats): StatsValues {
  const networks = Object.values(stats.networks ?? {})
  const io = stats.blkio_stats?.['io_service_bytes_recursive'] ?? []
  return {
    container,
    id: stats.id ?? '',
    name: (stats.name ?? '').replace(/^\//, ''),
    sample: {
      cpuPercent: cpuPercent(stats),
      memoryBytes: memoryUsed(stats),
      memoryLimitBytes: stats.memory_stats?.limit ?? 0,
      receivedBytes: networks.reduce((sum, network) => sum + network.rx_bytes, 0),
      sentBytes: networks.reduce((sum, network) => sum + network.tx_bytes, 0),
      readBytes: ioBytes(io, 'r'),
      writtenBytes: ioBytes(io, 'w'),
      pids: stats.pids_stats?.current ?? 0,
    },
  }
}

function cpuPercent({ cpu_stats: cpu, precpu_stats: before }: ContainerStats): number {
  const used = (cpu?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0)
  const system = (cpu?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0)
  const cpus = cpu?.online_cpus || cpu?.cpu_usage?.percpu_usage?.length || 1
  return system > 0 && used > 0 ? (used / system) * cpus * 100 : 0
}

/** Without the page cache that the kernel can take back: cgroup v1 total_inactive_file, v2 inactive_file. */
function memoryUsed({ memory_stats: memory }: ContainerStats): number {
  const usage = memory?.usage ?? 0
  const cache = memory?.stats?.['total_inactive_file'] ?? memory?.stats?.['inactive_file'] ?? 0
  return cache < usage ? usage - cache : usage
}

function ioBytes(
  entries: readonly { readonly op: string; readonly value: number }[],
  letter: string,
): number {
  return entries
    .filter(({ op }) => op.toLowerCase().startsWith(letter))
    .reduce((sum, { value }) => sum + value, 0)
}

const UNKNOWN = '--'

export function statsRow({ container, id, name, sample }: StatsValues, truncate: boolean): Row {
  const identity = {
    Container: container,
    ID: truncate ? shortId(id) : id,
    Name: name === '' ? UNKNOWN : name,
  }
  if (sample === undefined) {
    return {
      ...identity,
      BlockIO: UNKNOWN,
      CPUPerc: UNKNOWN,
      MemPerc: UNKNOWN,
      MemUsage: `${UNKNOWN} / ${UNKNOWN}`,
      NetIO: UNKNOWN,
      PIDs: UNKNOWN,
    }
  }
  const { memoryBytes, memoryLimitBytes } = sample
  const memoryPercent = memoryLimitBytes === 0 ? 0 : (memoryBytes / memoryLimitBytes) * 100
  return {
    ...identity,
    BlockIO: `${formatSize(sample.readBytes)} / ${formatSize(sample.writtenBytes)}`,
    CPUPerc: `${sample.cpuPercent.toFixed(2)}%`,
    MemPerc: `${memoryPercent.toFixed(2)}%`,
    MemUsage: `${formatMemory(memoryBytes)} / ${formatMemory(memoryLimitBytes)}`,
    NetIO: `${formatSize(sample.receivedBytes)} / ${formatSize(sample.sentBytes)}`,
    PIDs: String(sample.pids),
  }
}
