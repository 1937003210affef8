import { posix } from 'node:path'
import type { HostFacts } from '@ctr/linux'
import { BIND_SOURCE_IN_ROOT, type Op } from '../ops.ts'
import { MOUNT_ATTR, MS } from './constants.ts'
import { planDevices } from './devices.ts'
import { planInit } from './init.ts'
import { planMount, planReadonlyDev } from './mount.ts'
import { parseMountOptions } from './mount-options.ts'
import { planRoot } from './root.ts'
import { hasForeignNull } from './rootfs.ts'
import type { RootfsInput } from './rootfs-input.ts'

/** Below the mountpoint of a restore: the root filesystem alone, the same with all its mounts, and mounts for criu. */
const RESTORED_ROOT = 'root'
const RESTORED_TREE = 'tree'
const RESTORED_MOUNTS = 'ext'

/** Where `planRestoredRootfs` puts the root for criu's --root. */
export function restoredRoot(mountpoint: string): string {
  return posix.join(mountpoint, RESTORED_ROOT)
}

/** Where it puts mount `index` of `mounts`, for criu's --external. */
export function restoredMount(mountpoint: string, index: number): string {
  return posix.join(mountpoint, RESTORED_MOUNTS, String(index))
}

/**
 * For criu, which mounts what it has images of: the root filesystem by itself, and every mount in `mounts` (paths in the
 * container) that it cannot make. They come from a second view of the root in which everything is mounted as at a
 * start. All is resolved inside this tree: no symlink of the container's leads out to the host.
 */
export function planRestoredRootfs(
  input: RootfsInput,
  mounts: readonly string[],
  host: HostFacts,
): Op[] {
  const { spec, rootfs } = input
  const place = rootfs.mountpoint
  const all = (spec.mounts ?? []).map((mount) => ({
    mount,
    options: parseMountOptions(mount.options ?? []),
  }))
  const propagation = MS.MS_PRIVATE | MS.MS_REC
  const tree = posix.join(place, RESTORED_TREE)
  const inPlace: Op = { op: 'root', path: place }
  const masked = new Set(spec.linux?.maskedPaths ?? [])
  const mounted = new Set((spec.mounts ?? []).map(({ destination }) => posix.resolve(destination)))
  return [
    { op: 'propagation', path: '/', flags: propagation },
    inPlace,
    { op: 'mount', type: 'tmpfs', source: 'ctr', target: '/', flags: 0n, data: 'mode=700' },
    inPlace,
    ...[RESTORED_ROOT, RESTORED_TREE].map((path): Op => ({ op: 'mkdir', path, ...ROOT_ONLY })),
    ...planRoot(rootfs, restoredRoot(place), input),
    { op: 'bind_root', source: restoredRoot(place), target: tree },
    { op: 'root', path: tree },
    ...all.flatMap(({ mount, options }) => planMount(mount, options, propagation, input, host)),
    ...planInit(input),
    ...planDevices(input, host),
    ...all.flatMap(({ mount, options }) => planReadonlyDev(mount, options)),
    ...input.beforePivot,
    inPlace,
    ...mounts.map((path, index): Op => {
      const isMask = masked.has(path) && !mounted.has(path)
      const target = posix.join('/', RESTORED_MOUNTS, String(index))
      const changes = { target, clear: 0n, propagation: 0n }
      // The host's, as `keep_null` of a start.
      if (isMask && hasForeignNull(spec)) {
        const attr = MOUNT_ATTR.MOUNT_ATTR_RDONLY
        return { op: 'bind', source: '/dev/null', flags: 0, attr, ...changes }
      }
      const source = posix.join('/', RESTORED_TREE, isMask ? '/dev/null' : path)
      return { op: 'bind', source, flags: BIND_SOURCE_IN_ROOT, attr: 0n, ...changes }
    }),
  ]
}

const ROOT_ONLY = { mode: 0o700, uid: 0, gid: 0 }
