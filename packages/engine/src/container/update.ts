import type { ContainerUpdate, HostConfig, Resources } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { applyLimits, cgroupLimits } from '@ctr/linux'
import type { RuntimeResources } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent } from './container-event.ts'
import { resolveBlockIo } from './devices.ts'
import { noSuchContainer } from './registry.ts'
import { containerCgroup, grantContainerRealtime, updateContainerScope } from './scope.ts'
import { compileResources } from './spec/resources.ts'
import { isAlive } from './state.ts'
import { validateRestartPolicy } from './validate.ts'
import { validateResources } from './validate-resources.ts'

/** Changes limits (live, if it runs) and the restart policy. INVALID_ARGUMENT, CONFLICT. */
export async function updateContainer(
  engine: Engine,
  reference: string,
  update: ContainerUpdate,
): Promise<{ warnings: string[] }> {
  const { id } = engine.containers.get(reference)
  return await engine.queues.run(id, async () => {
    const container = engine.containers.byId(id)
    if (container === undefined) throw noSuchContainer(reference)
    const changes = definedFields(update)
    const hostConfig = merge(container, changes)
    const facts = { facts: engine.host, cpuCount: engine.cpuCount }
    // dockerd compares a reservation with the memory of the same request only: both limits stand beside each other in the kernel.
    validateResources({ ...hostConfig, MemoryReservation: 0 }, facts, 'update')
    const warnings = validateResources(changes, facts, 'update')
    if (isAlive(container.state)) await applyLive(engine, container, changes, hostConfig)
    engine.events.commit('durable', () => {
      const updated = engine.containers.changeDocuments(id, { hostConfig })
      engine.events.add(containerEvent(updated, 'update'))
    })
    return { warnings }
  })
}

/** Zero, empty and absent mean: as it is. PidsLimit alone may be taken away by 0 or -1. */
function definedFields(update: ContainerUpdate): ContainerUpdate {
  return Object.fromEntries(
    Object.entries(update).filter(
      ([key, value]) =>
        key === 'PidsLimit' ||
        (value !== undefined && value !== 0 && value !== '' && value !== false && !isEmpty(value)),
    ),
  )
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** moby container/container_unix.go UpdateContainer */
function merge(container: ContainerRecord, changes: ContainerUpdate): HostConfig {
  const current = container.hostConfig
  const { RestartPolicy, ...resources } = changes
  assertCpuKinds(container.id, current, resources)
  if (changes.Memory !== undefined && changes.MemorySwap === undefined) {
    // Unlimited swap (-1), and none asked for so far (0), are to be said again: without, memory that was unlimited had no swap limit.
    if (changes.Memory > (current.MemorySwap ?? 0)) {
      throw new EngineError(
        'CONFLICT',
        `Cannot update container ${container.id}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
      )
    }
  }
  const hasPolicy = (RestartPolicy?.Name ?? '') !== ''
  const merged = {
    ...current,
    ...resources,
    ...(hasPolicy && RestartPolicy !== undefined ? { RestartPolicy } : {}),
  }
  if (hasPolicy && current.AutoRemove === true && RestartPolicy?.Name !== 'no') {
    throw new EngineError(
      'CONFLICT',
      `Cannot update container ${container.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
    )
  }
  validateRestartPolicy(merged)
  return merged
}

/** CPUs are given as a number or as a quota of a period, not as both. */
function assertCpuKinds(id: string, current: HostConfig, changes: Resources): void {
  const taken = (name: 'CpuPeriod' | 'CpuQuota' | 'NanoCpus'): boolean => (current[name] ?? 0) > 0
  const conflicts = [
    ['NanoCpus', 'CpuPeriod'],
    ['NanoCpus', 'CpuQuota'],
    ['CpuPeriod', 'NanoCpus'],
    ['CpuQuota', 'NanoCpus'],
  ] as const
  for (const [wanted, present] of conflicts) {
    if (changes[wanted] === undefined || !taken(present)) continue
    throw new EngineError(
      'CONFLICT',
      `Cannot update container ${id}: Conflicting options: ${CPU_WORDS[wanted]} cannot be updated as ${present === 'NanoCpus' ? 'NanoCPUs' : CPU_WORDS[present]} has already been set`,
    )
  }
}

/** Docker's. */
const CPU_WORDS = { CpuPeriod: 'CPU Period', CpuQuota: 'CPU Quota', NanoCpus: 'Nano CPUs' } as const

async function applyLive(
  engine: Engine,
  container: ContainerRecord,
  changes: ContainerUpdate,
  hostConfig: HostConfig,
): Promise<void> {
  const { memory, cpu, pids } = compileResources(hostConfig, {
    devices: { nodes: [], rules: [] },
    blockIO: undefined,
  })
  const touches = (...keys: (keyof ContainerUpdate)[]): boolean =>
    keys.some((key) => Object.hasOwn(changes, key))
  const resources: RuntimeResources = {
    ...(touches('Memory', 'MemorySwap', 'MemoryReservation', 'MemorySwappiness') ? { memory } : {}),
    ...(touches(
      'CpuShares',
      'CpuPeriod',
      'CpuQuota',
      'NanoCpus',
      'CpusetCpus',
      'CpusetMems',
      'CpuRealtimePeriod',
      'CpuRealtimeRuntime',
    )
      ? { cpu }
      : {}),
    ...(touches('PidsLimit') ? { pids: { limit: pids?.limit ?? -1 } } : {}),
    ...blockIoOf(changes, hostConfig),
  }
  const writes = cgroupLimits(resources, {
    version: engine.host.cgroups.mode === 'v2' ? 2 : 1,
    kernel: engine.host.kernel,
    hasSwapAccounting: engine.host.hasSwapAccounting,
  })
  grantContainerRealtime(engine, container, resources)
  try {
    await updateContainerScope(engine, container, resources)
    applyLimits(engine.host.cgroups, containerCgroup(engine, container), writes)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    throw new EngineError('INTERNAL', `Cannot update container ${container.id}: ${reason}`, {
      cause,
    })
  }
}

function blockIoOf(
  changes: ContainerUpdate,
  hostConfig: HostConfig,
): Pick<RuntimeResources, 'blockIO'> {
  const isTouched = Object.keys(changes).some((key) => key.startsWith('Blkio'))
  const blockIO = isTouched ? resolveBlockIo(hostConfig) : undefined
  return blockIO === undefined ? {} : { blockIO }
}
