import { posix } from 'node:path'
import { invalid } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import type { RuntimeMount, RuntimeSpec } from '@ctr/oci'
import type { Op } from '../ops.ts'
import { MS } from './constants.ts'
import { planDevices } from './devices.ts'
import { planInit } from './init.ts'
import { planMount, planReadonlyDev } from './mount.ts'
import { type MountOptions, parseMountOptions, parsePropagation } from './mount-options.ts'
import { planRoot } from './root.ts'
import type { RootfsInput } from './rootfs-input.ts'

/** The operations in order, in two parts. */
export interface RootfsPlan {
  /** What can be done outside the container's cgroups: the root and the mounts before the first that needs them. */
  readonly outside: readonly Op[]
  readonly inside: readonly Op[]
}

/** Mounts in the order of the spec: who makes the spec puts parents before children. */
export function planRootfs(input: RootfsInput, host: HostFacts): RootfsPlan {
  const { spec, rootfs } = input
  const mounts = (spec.mounts ?? []).map((mount) => ({
    mount,
    options: parseMountOptions(mount.options ?? []),
  }))
  const { hasMountNamespace } = input
  // Not ours to change.
  const propagation = hasMountNamespace
    ? rootPropagation(
        spec.linux?.rootfsPropagation,
        mounts.map(({ options }) => options),
      )
    : 0n
  const cut = mounts.findIndex(({ mount, options }) => needsCgroups(mount, options))
  const plan = (some: typeof mounts): Op[] =>
    some.flatMap(({ mount, options }) => planMount(mount, options, propagation, input, host))
  const outside = [
    ...(hasMountNamespace ? planPropagation(propagation) : []),
    ...planRoot(rootfs, propagation === MS.MS_SHARED ? PRIVATE_PLACE : rootfs.mountpoint, input),
    ...plan(cut < 0 ? mounts : mounts.slice(0, cut)),
  ]
  const inside = [
    ...plan(cut < 0 ? [] : mounts.slice(cut)),
    ...planInit(input),
    ...planDevices(input, host),
    ...(input.hasTerminal ? [{ op: 'console' } as const] : []),
    ...mounts.flatMap(({ mount, options }) => planReadonlyDev(mount, options)),
    ...planCwd(spec),
    ...input.beforePivot,
    ...(spec.root?.readonly === true ? [{ op: 'readonly_root' } as const] : []),
    ...(hasForeignNull(spec) ? [{ op: 'keep_null' } as const] : []),
    changeOfRoot(input, host),
    ...(hasMountNamespace ? planOwnPropagation(spec.linux?.rootfsPropagation) : []),
  ]
  return { outside, inside }
}

/** It shows them, or what is copied into it counts as the container's memory. */
function needsCgroups(mount: RuntimeMount, options: MountOptions): boolean {
  return mount.type === 'cgroup' || mount.type === 'cgroup2' || options.isCopy
}

/**
 * Its /dev/null is not known to be one: it comes from a directory of the host that anybody may have filled. runc 1.1 takes what is
 * there for a mask (CVE-2025-31133), or masks nothing if it is missing.
 */
export function hasForeignNull({ mounts = [] }: RuntimeSpec): boolean {
  return mounts.some(
    ({ destination, type, options = [] }) =>
      (type === 'bind' || parseMountOptions(options).bind !== 'none') &&
      ['/dev', '/dev/null'].includes(posix.resolve('/', destination)),
  )
}

function changeOfRoot({ hasMountNamespace }: RootfsInput, host: HostFacts): Op {
  if (!hasMountNamespace) return { op: 'chroot' }
  return host.rootIsRamfs ? { op: 'move_root' } : { op: 'pivot_root' }
}

/** What is mounted inside later follows the words of the spec; private is what it is by itself. */
function planOwnPropagation(wanted = ''): Op[] {
  const flags = parsePropagation(wanted) ?? 0n
  if (flags === 0n || flags & MS.MS_PRIVATE) return []
  return [{ op: 'propagation', path: '/', flags }]
}

/**
 * What the container's copy of the host's mounts is: private, unless a mount needs to see changes (slave) or to show
 * them (shared). runtime-spec config-linux.md#rootfs-mount-propagation
 */
function rootPropagation(wanted = '', mounts: readonly MountOptions[]): bigint {
  const explicit = wanted === '' ? 0n : parsePropagation(wanted)
  if (explicit === undefined) throw invalid(`unknown rootfs propagation ${JSON.stringify(wanted)}`)
  const all = mounts.reduce((flags, options) => flags | options.propagation, explicit)
  if (all & MS.MS_SHARED) return MS.MS_SHARED
  return (all & MS.MS_SLAVE ? MS.MS_SLAVE : MS.MS_PRIVATE) | MS.MS_REC
}

/**
 * While the host's mounts stay shared, a mount on one of them would appear on the host. /proc is a mount on every host and
 * nothing of it is needed before the change of root, so it is made private and the root is mounted over it.
 */
const PRIVATE_PLACE = '/proc'

function planPropagation(propagation: bigint): Op[] {
  return propagation === MS.MS_SHARED
    ? [{ op: 'propagation', path: PRIVATE_PLACE, flags: MS.MS_PRIVATE }]
    : [{ op: 'propagation', path: '/', flags: propagation }]
}

/** The working directory is made if it is missing, as Docker and runc do. */
function planCwd(spec: RuntimeSpec): Op[] {
  const cwd = spec.process?.cwd ?? '/'
  if (!cwd.startsWith('/')) {
    throw invalid(`the working directory '${cwd}' is invalid, it needs to be an absolute path`)
  }
  if (posix.resolve(cwd) === '/') return []
  return [{ op: 'mkdir', path: cwd, mode: 0o755, uid: 0, gid: 0 }]
}
