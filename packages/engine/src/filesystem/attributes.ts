import type { BigIntStats } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import type { NewEntry } from '@ctr/images'
import { fgetxattr, flistxattr, lgetxattr, llistxattr } from '@ctr/linux'
import type { IdMaps } from '@ctr/shim'
import { insideId } from '../user-namespace/ids.ts'

/** Labels and measurements of this host, and what overlay keeps for itself, mean nothing elsewhere. */
const LOCAL_XATTR = /^(?:trusted\.overlay\.|security\.(?:selinux|ima|evm)$)/

export function isLocalXattr(name: string): boolean {
  return LOCAL_XATTR.test(name)
}

/** Owner, mode and time of a member of an archive. */
export function toEntry(
  path: string,
  type: NewEntry['type'],
  stats: BigIntStats,
  idMaps?: IdMaps,
): NewEntry {
  const nanoseconds = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return {
    path,
    type,
    mode: Number(stats.mode & 0o7777n),
    uid: insideId(Number(stats.uid), idMaps?.uids),
    gid: insideId(Number(stats.gid), idMaps?.gids),
    mtimeSeconds: Number((stats.mtimeNs - nanoseconds) / 1_000_000_000n),
    mtimeNanoseconds: Number(nanoseconds),
  }
}

/** Extended attributes of `path`, a symlink itself, that make sense elsewhere. */
export function xattrsOf(path: string | Buffer): Map<string, Buffer> | undefined {
  return collectXattrs(
    () => llistxattr(path),
    (name) => lgetxattr(path, name),
  )
}

/** As `xattrsOf`, of an open file, without the way to it by its name. */
export function xattrsOfFile(fd: number): Map<string, Buffer> | undefined {
  return collectXattrs(
    () => flistxattr(fd),
    (name) => fgetxattr(fd, name),
  )
}

function collectXattrs(
  list: () => string[],
  get: (name: string) => Buffer | undefined,
): Map<string, Buffer> | undefined {
  try {
    const all = list()
    if (all.length === 0) return undefined
    const names = all.filter((name) => !LOCAL_XATTR.test(name))
    if (names.length === 0) return undefined
    const xattrs = new Map<string, Buffer>()
    for (const name of names) {
      const value = get(name)
      if (value !== undefined) xattrs.set(name, value)
    }
    return xattrs
  } catch (error) {
    // Filesystems of the kernel (proc, sysfs) and changes between the calls.
    if (isErrno(error, 'ENOENT', 'ERANGE', 'ENODATA', 'EACCES', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')) {
      return undefined
    }
    throw error
  }
}
