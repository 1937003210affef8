import { EngineError } from '@ctr/errdefs'
import type { RuntimeIdMapping, RuntimeSpec } from '@ctr/oci'
import { BIND_ATTR_RECURSIVE, BIND_RECURSIVE, NO_SLOT, type Op, SLOTS } from '../ops.ts'
import { MS } from './constants.ts'

/** The slots below are for namespaces. */
const FIRST_SLOT = 16

export interface IdMaps {
  readonly uids: readonly RuntimeIdMapping[]
  readonly gids: readonly RuntimeIdMapping[]
}

export function containerIdMaps(spec: RuntimeSpec): IdMaps {
  const { uidMappings = [], gidMappings = [] } = spec.linux ?? {}
  return { uids: uidMappings, gids: gidMappings }
}

/** Puts a tree, by default as the root filesystem, where nobody outside sees it. */
export function attach(slot: number, target = '', attr = 0n): Op {
  const propagation = MS.MS_PRIVATE
  return { op: 'attach', slot, target, flags: 0, attr, clear: 0n, propagation }
}

/**
 * Mounts that the host side makes before clone: those with mapped ids, which take privilege over their filesystem, and
 * in a user namespace all sources, which its root may not reach.
 */
export class Trees {
  readonly ops: Op[] = []
  readonly #users = new Map<string, number>()
  #next = FIRST_SLOT

  /** A copy of what is mounted at `path`; for `attach`. The maps are for the mount itself, or for all below it, too. */
  add(
    path: string,
    isRecursive: boolean,
    maps: IdMaps | undefined,
    isMappedRecursively = false,
  ): number {
    const tree = this.#treeOf(path, isRecursive, maps, isMappedRecursively)
    this.ops.push({ op: 'tree', ...tree })
    return tree.slot
  }

  /** As `add`, of what the child has mounted at `path` when the operation runs, which is for the caller to place. */
  addOfChild(
    path: string,
    isRecursive: boolean,
    maps: IdMaps | undefined,
    isMappedRecursively: boolean,
  ): Op & { readonly op: 'child_tree' } {
    return {
      op: 'child_tree',
      ...this.#treeOf(path, isRecursive, maps, isMappedRecursively),
    }
  }

  #treeOf(
    path: string,
    isRecursive: boolean,
    maps: IdMaps | undefined,
    isMappedRecursively: boolean,
  ): { slot: number; path: string; flags: number; users: number } {
    const users = maps === undefined ? NO_SLOT : this.#usersOf(maps)
    const slot = this.#take()
    const flags =
      (isRecursive ? BIND_RECURSIVE : 0) |
      (isMappedRecursively && maps !== undefined ? BIND_ATTR_RECURSIVE : 0)
    return { slot, path, flags, users }
  }

  /** A copy of what is mounted at `path` in the mount namespace of a process. */
  addFrom(pid: string, path: string): number {
    const namespace = this.#take()
    const slot = this.#take()
    this.ops.push({ op: 'open', slot: namespace, path: `/proc/${pid}/ns/mnt` })
    this.ops.push({ op: 'tree_in', slot, namespace, path })
    return slot
  }

  addOverlay(
    overlay: { base: string; mapped: readonly string[]; data: string },
    maps: IdMaps,
  ): number {
    const users = this.#usersOf(maps)
    const slot = this.#take()
    const uid = hostId(0, maps.uids, 'user')
    const gid = hostId(0, maps.gids, 'group')
    this.ops.push({ op: 'overlay_tree', slot, users, ...overlay, uid, gid })
    return slot
  }

  /** One user namespace for all mounts with the same maps. */
  #usersOf({ uids, gids }: IdMaps): number {
    const maps = { uid_map: idMapText(uids), gid_map: idMapText(gids) }
    const key = `${maps.uid_map};${maps.gid_map}`
    const known = this.#users.get(key)
    if (known !== undefined) return known
    const slot = this.#take()
    this.#users.set(key, slot)
    this.ops.push({ op: 'user_namespace', slot, ...maps })
    return slot
  }

  #take(): number {
    if (this.#next === SLOTS) {
      throw new EngineError('INVALID_ARGUMENT', 'too many mounts for a user namespace')
    }
    const slot = this.#next
    this.#next += 1
    return slot
  }
}

/** user_namespaces(7): lines `inside outside count`. */
export function idMapText(mappings: readonly RuntimeIdMapping[]): string {
  return mappings
    .map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`)
    .join('')
}

/** The host's id of an id inside; INVALID_ARGUMENT if it has none. */
export function hostId(id: number, mappings: readonly RuntimeIdMapping[], what: string): number {
  const range = mappings.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  )
  if (range !== undefined) return range.hostID + (id - range.containerID)
  throw new EngineError(
    'INVALID_ARGUMENT',
    `user namespace: ${what} ${id} is not mapped to an id of the host`,
  )
}
