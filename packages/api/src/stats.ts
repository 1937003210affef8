/**
 * `GET /containers/{id}/stats`. Optional parts are absent where the cgroup version or the kernel has none;
 * `pressure` is ours (PSI), beside Docker's fields.
 */
export interface ContainerStats {
  name: string
  id: string
  read: string
  preread: string
  num_procs: 0
  storage_stats: Record<string, never>
  pids_stats: { current?: number; limit?: number }
  cpu_stats: CpuStats
  precpu_stats: CpuStats
  memory_stats: {
    usage?: number
    max_usage?: number
    limit?: number
    failcnt?: number
    stats?: Record<string, number>
  }
  blkio_stats: Record<string, BlkioEntry[] | null>
  networks?: Record<string, InterfaceStats>
  pressure?: Record<'cpu' | 'memory' | 'io', PressureStats | undefined>
}

export interface CpuStats {
  cpu_usage: {
    total_usage: number
    percpu_usage?: number[]
    usage_in_kernelmode: number
    usage_in_usermode: number
  }
  system_cpu_usage?: number
  online_cpus?: number
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number }
}

export interface BlkioEntry {
  major: number
  minor: number
  op: string
  value: number
}

export interface InterfaceStats {
  rx_bytes: number
  rx_packets: number
  rx_errors: number
  rx_dropped: number
  tx_bytes: number
  tx_packets: number
  tx_errors: number
  tx_dropped: number
}

/** Averages in percent, total in microseconds. accounting/psi.rst */
export interface PressureStats {
  some?: PressureLine
  full?: PressureLine
}

export interface PressureLine {
  avg10: number
  avg60: number
  avg300: number
  total: number
}
