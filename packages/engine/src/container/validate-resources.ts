import type { Resources } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import { parseCpuList } from './cpu-list.ts'

export interface ValidationFacts {
  readonly facts: HostFacts
  /** CPUs that this process may use. */
  readonly cpuCount: number
}

const MiB = 1024 * 1024

const MIN_MEMORY_BYTES = 6 * MiB

/** Also for `update`: absent fields are not touched there. Gives warnings. */
export function validateResources(
  resources: Resources,
  host: ValidationFacts,
  occasion: 'create' | 'update',
): string[] {
  return [
    ...validateMemory(resources, host.facts, occasion),
    ...validateCpu(resources, host),
    ...validateBlkio(resources, host.facts),
  ]
}

function validateMemory(
  resources: Resources,
  facts: HostFacts,
  occasion: 'create' | 'update',
): string[] {
  const warnings: string[] = []
  const memory = resources.Memory ?? 0
  const swap = resources.MemorySwap ?? 0
  const reservation = resources.MemoryReservation ?? 0
  if (memory !== 0 && memory < MIN_MEMORY_BYTES) {
    throw invalid('Minimum memory limit allowed is 6MB')
  }
  if (swap < -1) throw invalid(`invalid memory swap value: ${swap}`)
  if (memory > 0 && swap !== -1 && !facts.hasSwapAccounting) {
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    )
  }
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage')
  }
  if (memory === 0 && swap > 0 && occasion === 'create') {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage')
  }
  const swappiness = resources.MemorySwappiness ?? -1
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`)
  }
  if (swappiness !== -1 && facts.cgroups.mode === 'v2') {
    warnings.push(
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
    )
  }
  if (reservation !== 0 && reservation < MIN_MEMORY_BYTES) {
    throw invalid('Minimum memory reservation allowed is 6MB')
  }
  if (memory > 0 && reservation > memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage')
  }
  if (resources.OomKillDisable === true) {
    if (facts.cgroups.mode === 'v2') {
      warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.')
    } else if (memory === 0) {
      warnings.push(
        'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
      )
    }
  }
  if ((resources.KernelMemory ?? 0) !== 0) {
    warnings.push('Specifying a kernel memory limit is deprecated and has no effect.')
  }
  return warnings
}

function validateCpu(resources: Resources, host: ValidationFacts): string[] {
  const nanoCpus = resources.NanoCpus ?? 0
  const period = resources.CpuPeriod ?? 0
  const quota = resources.CpuQuota ?? 0
  if (nanoCpus > 0 && period > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set')
  }
  if (nanoCpus > 0 && quota > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set')
  }
  if (nanoCpus < 0 || nanoCpus > host.cpuCount * 1e9) {
    throw invalid(
      `range of CPUs is from 0.01 to ${host.cpuCount}.00, as there are only ${host.cpuCount} CPUs available`,
    )
  }
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    )
  }
  if (quota > 0 && quota < 1000) {
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)')
  }
  const shares = resources.CpuShares ?? 0
  if (shares < 0) {
    throw invalid(`invalid CPU shares (${shares}): value must be a positive integer`)
  }
  validateSet('cpus', 'CPUs', resources.CpusetCpus ?? '', host.facts.onlineCpus)
  validateSet('mems', 'memory nodes', resources.CpusetMems ?? '', host.facts.onlineMems)
  const realtimePeriod = resources.CpuRealtimePeriod ?? 0
  const realtimeRuntime = resources.CpuRealtimeRuntime ?? 0
  if (realtimePeriod !== 0 && realtimeRuntime > realtimePeriod) {
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period')
  }
  if (realtimePeriod === 0 && realtimeRuntime === 0) return []
  // The parent must have been given some; if not, the start says which file refused.
  if (host.facts.hasRealtimeGroups) return []
  return ['Your kernel does not support real-time CPU scheduling for containers.']
}

function validateSet(kind: 'cpus' | 'mems', what: string, wanted: string, available: string): void {
  if (wanted === '') return
  const numbers = parseCpuList(wanted)
  if (numbers === undefined) {
    throw invalid(`Invalid value ${wanted} for cpuset ${kind}: invalid format: ${wanted}`)
  }
  const have = parseCpuList(available) ?? new Set()
  if (!numbers.isSubsetOf(have)) {
    throw invalid(
      `Requested ${what} are not available - requested ${wanted}, available: ${available}`,
    )
  }
}

function validateBlkio(resources: Resources, { hasBlockIoWeight }: HostFacts): string[] {
  const weight = resources.BlkioWeight ?? 0
  if (weight !== 0 && !hasBlockIoWeight) {
    return [
      'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
    ]
  }
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw invalid('Range of blkio weight is from 10 to 1000')
  }
  for (const device of resources.BlkioWeightDevice ?? []) {
    const value = device.Weight ?? 0
    if (value !== 0 && (value < 10 || value > 1000)) {
      throw invalid('Range of blkio weight is from 10 to 1000')
    }
  }
  if ((resources.IOMaximumBandwidth ?? 0) !== 0 || (resources.IOMaximumIOps ?? 0) !== 0) {
    throw invalid(
      'Invalid QoS settings: Linux does not support Maximum IO Bandwidth or Maximum IO IOps',
    )
  }
  return []
}
