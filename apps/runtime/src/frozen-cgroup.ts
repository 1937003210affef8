import { cgroupDirectory, findHierarchy } from '@ctr/linux'
import type { ContainerRecord } from './record.ts'

/** Where the freezer of the container is. */
export function frozenCgroup({ cgroups, cgroupPath }: ContainerRecord): string | undefined {
  const hierarchy =
    findHierarchy(cgroups, 'freezer') ?? cgroups.hierarchies.find(({ version }) => version === 2)
  return hierarchy && cgroupDirectory(hierarchy, cgroupPath)
}
