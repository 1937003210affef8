import { posix } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import {
  checkSlice,
  grantRealtime,
  type ScopeName,
  scopePath,
  startScope,
  updateScope,
} from '@ctr/linux'
import type { RuntimeResources } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import { scopeUnit } from './close-scope.ts'
import type { ContainerRecord } from './container.ts'

/** The systemd unit of a container; undefined: cgroups are directories that we make. INVALID_ARGUMENT: no slice. */
export function containerScope(
  { config }: Pick<Engine, 'config'>,
  { id, hostConfig }: Pick<ContainerRecord, 'id' | 'hostConfig'>,
): ScopeName | undefined {
  if (config.cgroupDriver !== 'systemd') return undefined
  const parent = hostConfig.CgroupParent ?? ''
  return {
    slice: checkSlice(parent === '' ? config.cgroupParent : parent),
    unit: scopeUnit(id),
  }
}

/** The container's cgroup, relative to each hierarchy's mount point. */
export function containerCgroup(
  engine: Pick<Engine, 'config'>,
  container: Pick<ContainerRecord, 'id' | 'hostConfig'>,
): string {
  const scope = containerScope(engine, container)
  if (scope !== undefined) return scopePath(scope)
  return givenCgroup(container) ?? `${engine.config.cgroupParent}/${container.id}`
}

/** With `--cgroup-parent`. What climbs with `..` ends at the root of the hierarchies, as in Docker, never above. */
export function givenCgroup({
  id,
  hostConfig,
}: Pick<ContainerRecord, 'id' | 'hostConfig'>): string | undefined {
  const parent = hostConfig.CgroupParent ?? ''
  return parent === '' ? undefined : posix.join('/', parent, id)
}

/** Room for its real-time share in the parent of all containers; a parent that the user names has what it has. */
export function grantContainerRealtime(
  engine: Pick<Engine, 'config' | 'host'>,
  container: ContainerRecord,
  { cpu }: RuntimeResources,
): void {
  const runtimeUs = cpu?.realtimeRuntime
  const isOurs = engine.config.cgroupDriver === 'cgroupfs' && givenCgroup(container) === undefined
  if (runtimeUs === undefined || !isOurs) return
  const { cgroupParent } = engine.config
  grantRealtime(engine.host.cgroups, cgroupParent, { runtimeUs, periodUs: cpu?.realtimePeriod })
}

/**
 * Has systemd make the container's scope. Dispose when the container is in it, or will not come: a process that does
 * nothing is in it until then, for systemd makes none without. Its end is `closeScope`. INTERNAL.
 */
export async function openScope(
  engine: Pick<Engine, 'config' | 'spawner'>,
  container: ContainerRecord,
  resources: RuntimeResources,
): Promise<AsyncDisposable> {
  const name = containerScope(engine, container)
  if (name === undefined) return { [Symbol.asyncDispose]: () => Promise.resolve() }
  const first = await engine.spawner.task([
    { op: 'clone', flags: 0n, cgroup: '' },
    { op: 'hold', side: 'child' },
  ])
  try {
    await startScope(name, {
      pid: first.pid,
      description: `container ${container.name}`,
      resources,
    })
  } catch (cause) {
    await first[Symbol.asyncDispose]()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('INTERNAL', `unable to apply cgroup configuration: ${reason}`, { cause })
  }
  return first
}

/** Tells systemd new limits, lest it write the old ones over them. */
export async function updateContainerScope(
  engine: Pick<Engine, 'config'>,
  container: ContainerRecord,
  resources: RuntimeResources,
): Promise<void> {
  const name = containerScope(engine, container)
  if (name !== undefined) await updateScope(name, resources)
}
