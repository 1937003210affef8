import { cgroupDirectory } from '@ctr/linux'
import { NAMESPACE_TYPES } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { containerCgroup } from './scope.ts'
import { NAMESPACE_FILES, namespacePath } from './spec/namespaces.ts'
import { isAlive } from './state.ts'

/** Where the kernel has a container's first process. The pid may be another's when that has ended: then its start time differs. */
export interface ContainerPlaces {
  /** In clock ticks since boot: field 22 of /proc/PID/stat. proc_pid_stat(5) */
  readonly startTicks: bigint
  /** By the names in /proc/PID/ns. */
  readonly namespaces: Readonly<Record<string, string>>
  /** By controller of v1, `name=systemd` among them; the unified hierarchy is `unified`. */
  readonly cgroups: Readonly<Record<string, string>>
}

/** Undefined while it does not run. */
export function containerPlaces(
  engine: Pick<Engine, 'config' | 'host'>,
  container: ContainerRecord,
): ContainerPlaces | undefined {
  const { state } = container
  if (!isAlive(state)) return undefined
  const { pid, startTime } = state
  const cgroup = containerCgroup(engine, container)
  return {
    startTicks: startTime,
    namespaces: Object.fromEntries(
      NAMESPACE_TYPES.map((type) => [NAMESPACE_FILES[type], namespacePath(pid, type)]),
    ),
    cgroups: Object.fromEntries(
      engine.host.cgroups.hierarchies.flatMap((hierarchy) =>
        (hierarchy.version === 2 ? ['unified'] : hierarchy.controllers).map((name) => [
          name,
          cgroupDirectory(hierarchy, cgroup),
        ]),
      ),
    ),
  }
}
