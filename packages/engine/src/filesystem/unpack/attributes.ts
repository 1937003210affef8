import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
} from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import type { TarEntry } from '@ctr/images'
import { fsetxattr, lsetxattr, lutimes, O_PATH } from '@ctr/linux'
import type { IdMaps } from '@ctr/shim'
import { outsideId } from '../../user-namespace/ids.ts'
import { isLocalXattr } from '../attributes.ts'
import { below } from '../path.ts'

interface Ids {
  readonly uid: number
  readonly gid: number
}

export interface Ownership {
  /** Instead of the archive's. */
  readonly owner?: Ids
  /** Of a running container: the archive has the ids of its inside. */
  readonly idMaps?: IdMaps | undefined
}

/** The host's ids of what an archive gives to `archived`. */
export function ownerOf(archived: Ids, { owner = archived, idMaps }: Ownership): Ids {
  return { uid: outsideId(owner.uid, idMaps?.uids), gid: outsideId(owner.gid, idMaps?.gids) }
}

/** Of an open file or directory (`directory`: a path to it). Owner before mode: chown(2) clears the set-id bits. */
export function setAttributes(
  fd: number,
  entry: TarEntry,
  ownership: Ownership,
  directory?: string,
): void {
  const { uid, gid } = ownerOf(entry, ownership)
  fchownSync(fd, uid, gid)
  fchmodSync(fd, entry.mode)
  for (const [name, value] of entry.xattrs ?? []) {
    setXattr(name, () => {
      if (directory === undefined) fsetxattr(fd, name, value)
      else lsetxattr(directory, name, value)
    })
  }
}

/** Of what cannot be opened: through an O_PATH descriptor, which names this inode and no other. */
export function setNodeAttributes(
  parent: number,
  name: string,
  entry: TarEntry,
  ownership: Ownership,
): void {
  const nodePath = below(parent, name)
  const fd = openSync(nodePath, O_PATH | constants.O_NOFOLLOW)
  try {
    const { uid, gid } = ownerOf(entry, ownership)
    const self = `/proc/self/fd/${fd}`
    chownSync(self, uid, gid)
    // A symlink has no mode.
    if (!fstatSync(fd).isSymbolicLink()) chmodSync(self, entry.mode)
  } finally {
    closeSync(fd)
  }
  for (const [key, value] of entry.xattrs ?? []) {
    setXattr(key, () => lsetxattr(nodePath, key, value))
  }
  lutimes(nodePath, entry.mtimeSeconds, entry.mtimeNanoseconds)
}

/** Overlay's own and this host's are not an archive's to set. What the filesystem does not have is left out. */
function setXattr(name: string, set: () => void): void {
  if (isLocalXattr(name)) return
  try {
    set()
  } catch (error) {
    if (!isErrno(error, 'EOPNOTSUPP', 'ENOTSUP', 'EPERM')) throw error
  }
}
