import { posix } from 'node:path'
import { invalid } from '@ctr/errdefs'
import { cgroupDirectory, type HostFacts } from '@ctr/linux'
import {
  DEFAULT_DEVICE_LINKS,
  DEFAULT_DEVICES,
  type RuntimeDevice,
  type RuntimeMount,
  type RuntimeSpec,
} from '@ctr/oci'
import {
  BIND_ATTR_RECURSIVE,
  BIND_CLEAR_REST,
  BIND_LOCKED,
  BIND_RECURSIVE,
  BIND_SOURCE_IN_ROOT,
  BIND_SPREAD_RECURSIVE,
  type Op,
} from '../ops.ts'
import { MOUNT_ATTR, MS, S_IF } from './constants.ts'
import type { RootFilesystem } from './input.ts'
import { type MountOptions, parseMountOptions, parsePropagation } from './mount-options.ts'
import { containerIdMaps, type IdMaps, type Trees } from './trees.ts'

/** The child's mounts: from the host's view of the filesystem to the container's, up to and with the change of root. */
export interface RootfsInput {
  readonly spec: RuntimeSpec
  readonly rootfs: RootFilesystem
  /** `/ctr/<id>`. */
  readonly cgroupPath: string
  readonly hasTerminal: boolean
  readonly hasCgroupNamespace: boolean
  readonly hasUserNamespace: boolean
  readonly initBinary: string | undefined
  /** Gets the mounts that are made on the host's side. */
  readonly trees: Trees
  /** What happens when everything is mounted, and the host's view is still there. */
  readonly beforePivot: readonly Op[]
}

/** Where --init's program is in the container; Docker's name. */
export const INIT_PATH = '/sbin/docker-init'

/** Mounts in the order of the spec: who makes the spec puts parents before children. */
export function planRootfs(input: RootfsInput, host: HostFacts): Op[] {
  const { spec, rootfs } = input
  const mounts = (spec.mounts ?? []).map((mount) => ({
    mount,
    options: parseMountOptions(mount.options ?? []),
  }))
  const propagation = rootPropagation(
    spec.linux?.rootfsPropagation,
    mounts.map(({ options }) => options),
  )
  return [
    ...planPropagation(propagation),
    ...planRoot(rootfs, propagation === MS.MS_SHARED ? PRIVATE_PLACE : rootfs.mountpoint, input),
    ...mounts.flatMap(({ mount, options }) => planMount(mount, options, propagation, input, host)),
    ...planInit(input),
    ...planDevices(input, host),
    ...(input.hasTerminal ? [{ op: 'console' } as const] : []),
    ...mounts.flatMap(({ mount, options }) => planReadonlyDev(mount, options)),
    ...planCwd(spec),
    ...input.beforePivot,
    ...(spec.root?.readonly === true ? [{ op: 'readonly_root' } as const] : []),
    host.rootIsRamfs ? { op: 'move_root' } : { op: 'pivot_root' },
    ...planOwnPropagation(spec.linux?.rootfsPropagation),
  ]
}

/** What is mounted inside later follows the words of the spec; private is what it is by itself. */
function planOwnPropagation(wanted = ''): Op[] {
  const flags = parsePropagation(wanted) ?? 0n
  if (flags === 0n || flags & MS.MS_PRIVATE) return []
  return [{ op: 'propagation', path: '/', flags }]
}

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
      const source = masked.has(path) && !mounted.has(path) ? '/dev/null' : path
      return {
        op: 'bind',
        source: posix.join('/', RESTORED_TREE, source),
        target: posix.join('/', RESTORED_MOUNTS, String(index)),
        flags: BIND_SOURCE_IN_ROOT,
        attr: 0n,
        clear: 0n,
        propagation: 0n,
      }
    }),
  ]
}

const ROOT_ONLY = { mode: 0o700, uid: 0, gid: 0 }

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

function planRoot(rootfs: RootFilesystem, mountpoint: string, input: RootfsInput): Op[] {
  const root: Op = { op: 'root', path: mountpoint }
  const maps = rootfs.isIdMapped === true ? containerIdMaps(input.spec) : undefined
  if (rootfs.kind === 'directory') {
    if (maps !== undefined) return attachRoot(input.trees.add(rootfs.path, true, maps, true))
    return [{ op: 'bind_root', source: rootfs.path, target: mountpoint }, root]
  }
  const { base, lower, upper, work } = rootfs
  const label = input.spec.linux?.mountLabel ?? ''
  const [only] = lower
  if (upper === '' && lower.length === 1 && only !== undefined) {
    // overlay wants at least two layers.
    if (maps !== undefined)
      return attachRoot(input.trees.add(posix.resolve(base, only), true, maps, true))
    return [{ op: 'bind_root', source: posix.resolve(base, only), target: mountpoint }, root]
  }
  const layers = [
    `lowerdir=${lower.map((path) => escapeOverlay(path).replaceAll(':', '\\:')).join(':')}`,
    ...(upper === '' ? [] : [`upperdir=${escapeOverlay(upper)}`, `workdir=${escapeOverlay(work)}`]),
    // The upper directory is a layer on its own (commit, diff): it may not refer to lower ones. overlayfs.rst
    'index=off',
    'redirect_dir=nofollow',
    'metacopy=off',
  ].join(',')
  const data = withContext(layers, label)
  if (maps !== undefined) {
    const mapped = new Set([
      ...lower.map(topDirectory),
      ...(upper === '' ? [] : [posix.dirname(upper)]),
    ])
    return attachRoot(input.trees.addOverlay({ base, mapped: [...mapped], data }, maps))
  }
  return [{ op: 'overlay', base, target: mountpoint, flags: 0n, data }, root]
}

/** All layers of a store are mapped as one. */
function topDirectory(path: string): string {
  return path.startsWith('/') ? path : (path.split('/')[0] ?? path)
}

function attachRoot(slot: number): Op[] {
  const propagation = MS.MS_PRIVATE
  return [{ op: 'attach', slot, target: '', flags: 0, attr: 0n, clear: 0n, propagation }]
}

function escapeOverlay(path: string): string {
  return path.replace(/[\\,]/g, '\\$&')
}

function planMount(
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
  return propagation === 0n ? [filesystem] : [filesystem, remount(target, propagation)]
}

/** The kernel's own views have labels of their own. selinux(8), mount(8) context= */
const SELF_LABELLED = ['proc', 'sysfs', 'mqueue']

function labelled(type: string | undefined, data: string, label: string): string {
  if (label === '' || SELF_LABELLED.includes(type ?? '')) return data
  return withContext(data, label)
}

/** SELinux: the label of everything on the mount; empty: none. mount(8) context= */
export function withContext(data: string, label: string): string {
  if (label === '') return data
  return `${data === '' ? '' : `${data},`}context=${JSON.stringify(label)}`
}

/** Of lower directories with absolute paths only: an image. */
function planMappedOverlay(target: string, options: MountOptions, input: RootfsInput): Op[] {
  const mapped = options.data.replace(/^lowerdir=/, '').split(':')
  const overlay = { base: '/', mapped, data: options.data }
  const slot = input.trees.addOverlay(overlay, containerIdMaps(input.spec))
  const propagation = MS.MS_PRIVATE
  const attr = options.attributes
  return [{ op: 'attach', slot, target, flags: 0, attr, clear: 0n, propagation }]
}

/** Nothing, where the whole tree is private already. */
function neededPropagation({ propagation }: MountOptions, rootPropagation: bigint): bigint {
  return (rootPropagation & propagation & MS.MS_PRIVATE) === 0n ? propagation : 0n
}

/**
 * A bind carries its source's flags, unless there are words about flags: then it has those of the words alone, as with
 * runc. In a user namespace what the source forbids stays forbidden.
 */
function planBind(
  mount: RuntimeMount,
  options: MountOptions,
  rootPropagation: bigint,
  input: RootfsInput,
): Op[] {
  const { source = '', destination: target } = mount
  const { attributes, recursiveAttributes, recursiveClears } = options
  const hasTree = recursiveAttributes !== 0n || recursiveClears !== 0n
  const maps = mappingOf(mount, options, input.spec)
  const [, pid, path] = OTHER_ROOT.exec(source) ?? []
  const isTree =
    !options.isInRoot && (input.hasUserNamespace || maps !== undefined || pid !== undefined)
  // A tree comes from the host's mount namespace, not from a copy that is private already.
  const propagation = isTree
    ? options.propagation || MS.MS_PRIVATE | MS.MS_REC
    : neededPropagation(options, rootPropagation)
  const isRecursive = options.bind !== 'single'
  const flags =
    (hasTree ? BIND_ATTR_RECURSIVE : 0) |
    (!hasTree && options.hasFlags ? BIND_CLEAR_REST : 0) |
    (input.hasUserNamespace ? BIND_LOCKED : 0) |
    ((propagation & MS.MS_REC) === 0n ? 0 : BIND_SPREAD_RECURSIVE)
  const changes = hasTree
    ? { attr: recursiveAttributes, clear: recursiveClears }
    : { attr: attributes, clear: options.clears }
  const bind: Op = isTree
    ? {
        op: 'attach',
        slot:
          pid !== undefined && path !== undefined
            ? input.trees.addFrom(pid, path)
            : input.trees.add(source, isRecursive, maps, options.isMappedRecursively),
        target,
        flags,
        ...changes,
        propagation: propagation & ~MS.MS_REC,
      }
    : {
        op: 'bind',
        source,
        target,
        flags:
          flags | (isRecursive ? BIND_RECURSIVE : 0) | (options.isInRoot ? BIND_SOURCE_IN_ROOT : 0),
        ...changes,
        propagation: propagation & ~MS.MS_REC,
      }
  const isTopDifferent = hasTree && (attributes & ~recursiveAttributes) !== 0n
  if (!isTopDifferent) return [bind]
  const readonly = recursiveAttributes & MOUNT_ATTR.MOUNT_ATTR_RDONLY ? MS.MS_RDONLY : 0n
  return [bind, remount(target, MS.MS_REMOUNT | MS.MS_BIND | options.flags | readonly)]
}

/** What another process has mounted there, which its mount namespace alone can tell. */
const OTHER_ROOT = /^\/proc\/([1-9]\d{0,9})\/root(\/.+)$/

/** runtime-spec config.md#posix-platform-mounts: `idmap` without maps of its own takes the container's. */
function mappingOf(
  mount: RuntimeMount,
  options: MountOptions,
  spec: RuntimeSpec,
): IdMaps | undefined {
  const { uidMappings: uids = [], gidMappings: gids = [] } = mount
  if (uids.length > 0 || gids.length > 0) {
    if (uids.length === 0 || gids.length === 0) {
      throw invalid(`mount ${mount.destination}: both uidMappings and gidMappings are needed`)
    }
    return { uids, gids }
  }
  if (!options.isIdMapped) return undefined
  const maps = containerIdMaps(spec)
  if (maps.uids.length > 0) return maps
  throw invalid(`mount ${mount.destination}: idmap needs a user namespace or maps of its own`)
}

/** Changes flags or propagation of a mount (of a directory) that is there. */
function remount(target: string, flags: bigint): Op {
  return { op: 'mount', type: '', source: '', target, flags, data: '' }
}

function isDev(mount: RuntimeMount): boolean {
  return posix.resolve('/', mount.destination) === '/dev' && mount.type === 'tmpfs'
}

function planReadonlyDev(mount: RuntimeMount, options: MountOptions): Op[] {
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

const CGROUP_FLAGS = MS.MS_NOSUID | MS.MS_NODEV | MS.MS_NOEXEC

/**
 * /sys/fs/cgroup. v2: cgroup2. v1: a tmpfs with, for each hierarchy, the container's own cgroup as its root (by a cgroup
 * namespace or by a bind), under the host's names, and a link for each of several controllers in one hierarchy.
 */
function planCgroupMount(
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
      const attr = options.attributes
      const propagation = MS.MS_PRIVATE
      return [{ op: 'attach', slot, target, flags: 0, attr, clear: 0n, propagation }]
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

function planInit({ initBinary, hasUserNamespace, trees }: RootfsInput): Op[] {
  if (initBinary === undefined) return []
  const attr = MOUNT_ATTR.MOUNT_ATTR_RDONLY
  if (hasUserNamespace) {
    const slot = trees.add(initBinary, false, undefined)
    const propagation = MS.MS_PRIVATE
    return [{ op: 'attach', slot, target: INIT_PATH, flags: 0, attr, clear: 0n, propagation }]
  }
  const place = { target: INIT_PATH, flags: 0, attr, clear: 0n, propagation: 0n }
  return [{ op: 'bind', source: initBinary, ...place }]
}

/** Nodes and links of /dev; none if the spec binds a /dev of the host. */
function planDevices({ spec, hasUserNamespace }: RootfsInput, host: HostFacts): Op[] {
  const isHostDev = (spec.mounts ?? []).some(
    (mount) => posix.resolve('/', mount.destination) === '/dev' && mount.type === 'bind',
  )
  if (isHostDev) return []
  const own = spec.linux?.devices ?? []
  const isOwn = (path: string): boolean => own.some((device) => device.path === path)
  const node = hasUserNamespace ? bindNode : makeNode
  return [
    ...DEFAULT_DEVICES.filter((device) => !isOwn(device.path)).map(node),
    // The container's terminals come from its own devpts.
    ...own.filter((device) => device.path !== '/dev/ptmx').map(node),
    ...DEFAULT_DEVICE_LINKS.filter(
      ([path]) => (path !== '/dev/core' || host.hasKcore) && (path === '/dev/ptmx' || !isOwn(path)),
    ).map(([path, target]): Op => ({ op: 'symlink', target, path })),
  ]
}

const NODE_TYPES = { c: S_IF.S_IFCHR, u: S_IF.S_IFCHR, b: S_IF.S_IFBLK, p: S_IF.S_IFIFO }

function makeNode(device: RuntimeDevice): Op {
  const type = Object.hasOwn(NODE_TYPES, device.type) ? NODE_TYPES[device.type] : undefined
  if (type === undefined) throw invalid(`device ${device.path}: unknown type ${device.type}`)
  return {
    op: 'mknod',
    path: device.path,
    type,
    mode: device.fileMode ?? 0o666,
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  }
}

/** In a user namespace mknod(2) is not allowed. */
function bindNode({ path }: RuntimeDevice): Op {
  const changes = { flags: 0, attr: 0n, clear: 0n, propagation: 0n }
  return { op: 'bind', source: path, target: path, ...changes }
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
