import { posix } from 'node:path'
import { invalid } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import type { RuntimeMount } from '@ctr/oci'
import type { Op } from '../ops.ts'
import { planBind } from './bind.ts'
import { planCgroupMount } from './cgroup-mount.ts'
import { MS } from './constants.ts'
import type { MountOptions } from './mount-options.ts'
import { neededPropagation, remount } from './remount.ts'
import { withContext } from './root.ts'
import type { RootfsInput } from './rootfs-input.ts'
import { attach, containerIdMaps } from './trees.ts'

/** One mount of the spec. */
export function planMount(
  mount: RuntimeMount,
  options: MountOptions,
  rootPropagation: bigint,
  input: RootfsInput,
  host: HostFacts,
): Op[] {
  const target = mount.destination
  if (!target.startsWith('/')) throw invalid(`mount destination ${target} must be absolute`)
  if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
    return planCgroupMount(target, options, input, host)
  }
  const isBind = mount.type === 'bind' || options.bind !== 'none'
  checkDestination(mount, isBind)
  if (isBind) return planBind(mount, options, rootPropagation, input)
  if (mount.type === 'overlay' && options.isIdMapped) {
    return planMappedOverlay(target, options, input)
  }
  const isCopy = options.isCopy && mount.type === 'tmpfs'
  const filesystem: Op = {
    ...(isCopy ? { op: 'copy_up' } : { op: 'mount', type: mount.type ?? '' }),
    source: mount.source ?? mount.type ?? '',
    target,
    // /dev is made read-only when its nodes are there.
    flags: isDev(mount) ? options.flags & ~MS.MS_RDONLY : options.flags,
    data: labelled(mount.type, options.data, input.spec.linux?.mountLabel ?? ''),
  }
  const propagation = neededPropagation(options, rootPropagation)
  const label = input.spec.linux?.mountLabel ?? ''
  return [
    filesystem,
    ...(propagation === 0n ? [] : [remount(target, propagation)]),
    // It takes no context, but a label.
    ...(mount.type === 'mqueue' && label !== ''
      ? [{ op: 'file_label', path: target, value: label } as const]
      : []),
  ]
}

/** The kernel's own views have labels of their own. selinux(8), mount(8) context= */
const SELF_LABELLED = ['proc', 'sysfs', 'mqueue']

function labelled(type: string | undefined, data: string, label: string): string {
  if (label === '' || SELF_LABELLED.includes(type ?? '')) return data
  return withContext(data, label)
}

/** Of lower directories with absolute paths only: an image. */
function planMappedOverlay(target: string, options: MountOptions, input: RootfsInput): Op[] {
  const mapped = options.data.replace(/^lowerdir=/, '').split(':')
  const overlay = { base: '/', mapped, data: options.data }
  const slot = input.trees.addOverlay(overlay, containerIdMaps(input.spec))
  return [attach(slot, target, options.attributes)]
}

function isDev(mount: RuntimeMount): boolean {
  return posix.resolve('/', mount.destination) === '/dev' && mount.type === 'tmpfs'
}

export function planReadonlyDev(mount: RuntimeMount, options: MountOptions): Op[] {
  if (!isDev(mount) || !(options.flags & MS.MS_RDONLY)) return []
  return [remount(mount.destination, MS.MS_REMOUNT | MS.MS_BIND | options.flags)]
}

/** Files of /proc that may be replaced, for lxcfs and the like. As runc's list. */
const REPLACEABLE_PROC = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/net/dev',
  '/proc/slabinfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/sys/crypto/fips_enabled',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/uptime',
])

/** The security of a container rests on /proc being real. */
function checkDestination(mount: RuntimeMount, isBind: boolean): void {
  const target = posix.resolve('/', mount.destination)
  if (target === '/') throw invalid("invalid mount: destination can't be '/'")
  if (target === '/proc' && (mount.type === 'proc' || (isBind && mount.source === '/proc'))) return
  const isInside = target === '/proc' || target.startsWith('/proc/')
  if (isInside && !REPLACEABLE_PROC.has(target)) {
    throw invalid(`${JSON.stringify(target)} cannot be mounted because it is inside /proc`)
  }
}
