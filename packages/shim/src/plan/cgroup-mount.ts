import { posix } from 'node:path'
import { cgroupDirectory, type HostFacts } from '@ctr/linux'
import type { Op } from '../ops.ts'
import { MS } from './constants.ts'
import type { MountOptions } from './mount-options.ts'
import { remount } from './remount.ts'
import type { RootfsInput } from './rootfs-input.ts'
import { attach } from './trees.ts'

const CGROUP_FLAGS = MS.MS_NOSUID | MS.MS_NODEV | MS.MS_NOEXEC

/**
 * /sys/fs/cgroup. v2: cgroup2. v1: a tmpfs with, for each hierarchy, the container's own cgroup as its root (by a cgroup
 * namespace or by a bind), under the host's names, and a link for each of several controllers in one hierarchy.
 */
export function planCgroupMount(
  target: string,
  options: MountOptions,
  input: RootfsInput,
  host: HostFacts,
): Op[] {
  const { flags } = options
  if (host.cgroups.mode === 'v2') {
    const [hierarchy] = host.cgroups.hierarchies
    if (input.hasUserNamespace && !input.hasCgroupNamespace && hierarchy !== undefined) {
      // The host's cgroup namespace is not ours to mount.
      const slot = input.trees.add(hierarchy.mountpoint, false, undefined)
      return [attach(slot, target, options.attributes)]
    }
    return [{ op: 'mount', type: 'cgroup2', source: 'cgroup', target, flags, data: '' }]
  }
  const isReadonly = (flags & MS.MS_RDONLY) !== 0n
  return [
    { op: 'mount', type: 'tmpfs', source: 'tmpfs', target, flags: CGROUP_FLAGS, data: 'mode=755' },
    ...host.cgroups.hierarchies
      .filter((hierarchy) => hierarchy.version === 1)
      .flatMap((hierarchy): Op[] => {
        const name = posix.basename(hierarchy.mountpoint)
        const place = posix.join(target, name)
        const links = hierarchy.controllers
          .filter((controller) => hierarchy.controllers.length > 1 && controller !== name)
          .map((path): Op => ({ op: 'symlink', target: name, path: posix.join(target, path) }))
        if (input.hasCgroupNamespace) {
          const data = hierarchy.controllers.join(',')
          return [
            { op: 'mount', type: 'cgroup', source: 'cgroup', target: place, flags, data },
            ...links,
          ]
        }
        const source = cgroupDirectory(hierarchy, input.cgroupPath)
        const attr = options.attributes
        return [
          { op: 'bind', source, target: place, flags: 0, attr, clear: 0n, propagation: 0n },
          ...links,
        ]
      }),
    ...(isReadonly
      ? [remount(target, MS.MS_REMOUNT | MS.MS_BIND | MS.MS_RDONLY | CGROUP_FLAGS)]
      : []),
  ]
}
