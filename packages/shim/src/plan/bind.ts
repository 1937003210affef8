import { posix } from 'node:path'
import { invalid } from '@ctr/errdefs'
import type { RuntimeMount, RuntimeSpec } from '@ctr/oci'
import {
  BIND_ATTR_RECURSIVE,
  BIND_CLEAR_REST,
  BIND_LOCKED,
  BIND_RECURSIVE,
  BIND_SOURCE_BELOW_TARGET,
  BIND_SOURCE_IN_ROOT,
  BIND_SPREAD_RECURSIVE,
  type Op,
} from '../ops.ts'
import { MOUNT_ATTR, MS } from './constants.ts'
import type { MountOptions } from './mount-options.ts'
import { neededPropagation, remount } from './remount.ts'

import type { RootfsInput } from './rootfs-input.ts'
import { containerIdMaps, type IdMaps } from './trees.ts'

/**
 * A bind carries its source's flags, unless there are words about flags: then it has those of the words alone, as with
 * runc. In a user namespace what the source forbids stays forbidden.
 */
export function planBind(
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
    options.sourceIn === 'host' &&
    (input.hasUserNamespace || maps !== undefined || pid !== undefined)
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
  // Of what earlier mounts have put there, which is the child's alone.
  const ofChild =
    isTree && pid === undefined && isInRootfs(source, input)
      ? input.trees.addOfChild(source, isRecursive, maps, options.isMappedRecursively)
      : undefined
  const bind: Op = isTree
    ? {
        op: 'attach',
        slot:
          ofChild?.slot ??
          (pid !== undefined && path !== undefined
            ? input.trees.addFrom(pid, path)
            : input.trees.add(source, isRecursive, maps, options.isMappedRecursively)),
        target,
        flags,
        ...changes,
        propagation: propagation & ~MS.MS_REC,
      }
    : {
        op: 'bind',
        source,
        target,
        flags: flags | (isRecursive ? BIND_RECURSIVE : 0) | SOURCE_FLAG[options.sourceIn],
        ...changes,
        propagation: propagation & ~MS.MS_REC,
      }
  const binds = ofChild === undefined ? [bind] : [ofChild, bind]
  const isTopDifferent = hasTree && (attributes & ~recursiveAttributes) !== 0n
  if (!isTopDifferent) return binds
  const readonly = recursiveAttributes & MOUNT_ATTR.MOUNT_ATTR_RDONLY ? MS.MS_RDONLY : 0n
  return [...binds, remount(target, MS.MS_REMOUNT | MS.MS_BIND | options.flags | readonly)]
}

const SOURCE_FLAG = { host: 0, root: BIND_SOURCE_IN_ROOT, target: BIND_SOURCE_BELOW_TARGET }

/** A path of the host below the root that is a plain directory. */
function isInRootfs(source: string, { rootfs }: RootfsInput): boolean {
  return rootfs.kind === 'directory' && posix.resolve(source).startsWith(`${rootfs.path}/`)
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
