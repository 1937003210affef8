import {
  type BigIntStats,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { deviceNumbers, fgetxattr, flistxattr, lgetxattr, llistxattr } from '@ctr/linux'
import { toPathBytes } from '../tar/format.ts'
import type { NewEntry } from '../tar/write.ts'
import type { TarOutput } from './tar-output.ts'

export interface PackOptions {
  /** `overlay`: an upper directory, whose whiteouts and opaque marks become `.wh.` members. */
  whiteouts: 'overlay' | 'literal'
  /** Leave the root's own entry out if its owner and mode are those of this directory. */
  sameRootAs: string | undefined
}

const OPAQUE_XATTR = 'trusted.overlay.opaque'
const REDIRECT_XATTR = 'trusted.overlay.redirect'
/** Labels and measurements of this host mean nothing elsewhere. */
const LOCAL_XATTR = /^(?:trusted\.overlay\.|security\.(?:selinux|ima|evm)$)/
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** A FIFO that takes a file's place must not block us. */
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** A path must fit into PATH_MAX when it is unpacked, with some room for the directory in front. */
const MAX_PATH_BYTES = 3800

/**
 * Archives a directory that a running container may be changing. Each name is opened below its open directory, as
 * /proc/self/fd/N/name, and never followed; what vanishes meanwhile is left out; sockets always are. Names are sorted,
 * so that the same tree gives the same bytes.
 */
export function packTree(output: TarOutput, root: string, options: PackOptions): void {
  const packer = new Packer(output, options)
  const fd = openSync(root, DIRECTORY_FLAGS)
  try {
    packer.root(fd)
  } finally {
    closeSync(fd)
  }
}

class Packer {
  readonly #output: TarOutput
  readonly #options: PackOptions
  /** First path of a file with several links, by device and inode. */
  readonly #links = new Map<string, string>()

  constructor(output: TarOutput, options: PackOptions) {
    this.#output = output
    this.#options = options
  }

  root(fd: number): void {
    const stats = fstatSync(fd, { bigint: true })
    const same = this.#options.sameRootAs
    const isSame = same !== undefined && hasSameOwner(stats, lstatSync(same, { bigint: true }))
    if (!isSame)
      this.#output.add({
        ...toEntry('./', 'directory', stats),
        xattrs: xattrsOf(`/proc/self/fd/${fd}/.`),
      })
    this.#children(fd, '')
  }

  #children(fd: number, directory: string): void {
    const o = { encoding: 'latin1', withFileTypes: true } as const
    const found = readdirSync(`/proc/self/fd/${fd}`, o)
    for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { name } = entry
      const path = directory === '' ? name : `${directory}/${name}`
      if (path.length > MAX_PATH_BYTES) {
        throw new EngineError('INVALID_ARGUMENT', `path is too long: ${path.slice(0, 100)}…`)
      }
      try {
        this.#node(toPathBytes(`/proc/self/fd/${fd}/${name}`), path, entry)
      } catch (error) {
        // Removed or replaced since it was seen.
        if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EINVAL')) throw error
      }
    }
  }

  /** `seen`: what the directory said of it, which may not be true any more; some file systems say nothing. */
  #node(nodePath: string | Buffer, path: string, seen: Dirent): void {
    // Most are one of these, and tell the rest when they are open.
    if (seen.isFile()) {
      this.#file(nodePath, path)
      return
    }
    if (seen.isDirectory()) {
      this.#directory(nodePath, path)
      return
    }
    const stats = lstatSync(nodePath, { bigint: true })
    if (stats.isDirectory()) this.#directory(nodePath, path)
    else if (stats.isFile()) this.#file(nodePath, path)
    else if (stats.isSymbolicLink()) {
      const linkTarget = readlinkSync(nodePath, { encoding: 'latin1' })
      this.#output.add({
        ...toEntry(path, 'symlink', stats),
        linkTarget,
        xattrs: xattrsOf(nodePath),
      })
    } else if (stats.isCharacterDevice() && stats.rdev === 0n && this.#isOverlay) {
      this.#output.add({
        path: whiteoutPath(path),
        type: 'file',
        mode: 0o600,
        mtimeSeconds: seconds(stats),
      })
    } else if (stats.isCharacterDevice() || stats.isBlockDevice()) {
      const type = stats.isBlockDevice() ? 'block' : 'character'
      const { major, minor } = deviceNumbers(Number(stats.rdev))
      this.#output.add({ ...toEntry(path, type, stats), major, minor, xattrs: xattrsOf(nodePath) })
    } else if (stats.isFIFO()) {
      this.#output.add({ ...toEntry(path, 'fifo', stats), xattrs: xattrsOf(nodePath) })
    }
  }

  #directory(nodePath: string | Buffer, path: string): void {
    const fd = openSync(nodePath, DIRECTORY_FLAGS)
    try {
      const self = `/proc/self/fd/${fd}/.`
      const stats = fstatSync(fd, { bigint: true })
      this.#output.add({ ...toEntry(`${path}/`, 'directory', stats), xattrs: xattrsOf(self) })
      if (this.#isOverlay) this.#overlayMarks(self, path)
      this.#children(fd, path)
    } finally {
      closeSync(fd)
    }
  }

  #overlayMarks(self: string, path: string): void {
    if (lgetxattr(self, REDIRECT_XATTR) !== undefined) {
      throw new EngineError(
        'INTERNAL',
        `${path} was renamed by overlay without a copy: cannot be archived`,
      )
    }
    if (lgetxattr(self, OPAQUE_XATTR)?.toString() !== 'y') return
    this.#output.add({ path: `${path}/.wh..wh..opq`, type: 'file', mode: 0o600 })
  }

  #file(nodePath: string | Buffer, path: string): void {
    const fd = openSync(nodePath, FILE_FLAGS)
    try {
      const stats = fstatSync(fd, { bigint: true })
      if (!stats.isFile()) return
      if (stats.nlink > 1n && this.#addLink(path, stats)) return
      const entry = toEntry(path, 'file', stats)
      const xattrs = valuesOf(flistxattr(fd), (name) => fgetxattr(fd, name))
      this.#output.addFile({ ...entry, xattrs, size: Number(stats.size) }, fd)
    } finally {
      closeSync(fd)
    }
  }

  #addLink(path: string, stats: BigIntStats): boolean {
    const key = `${stats.dev}:${stats.ino}`
    const first = this.#links.get(key)
    if (first === undefined) {
      this.#links.set(key, path)
      return false
    }
    this.#output.add({ ...toEntry(path, 'hardlink', stats), linkTarget: first })
    return true
  }

  get #isOverlay(): boolean {
    return this.#options.whiteouts === 'overlay'
  }
}

function toEntry(path: string, type: NewEntry['type'], stats: BigIntStats): NewEntry {
  return {
    path,
    type,
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeSeconds: seconds(stats),
    mtimeNanoseconds: Number(((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n),
  }
}

/** Rounded down, also before 1970. */
function seconds(stats: BigIntStats): number {
  const nanoseconds = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return Number((stats.mtimeNs - nanoseconds) / 1_000_000_000n)
}

function xattrsOf(path: string | Buffer): Map<string, Buffer> | undefined {
  return valuesOf(llistxattr(path), (name) => lgetxattr(path, name))
}

function valuesOf(
  names: readonly string[],
  valueOf: (name: string) => Buffer | undefined,
): Map<string, Buffer> | undefined {
  if (names.length === 0) return undefined
  const xattrs = new Map<string, Buffer>()
  for (const name of names) {
    if (LOCAL_XATTR.test(name)) continue
    const value = valueOf(name)
    if (value !== undefined) xattrs.set(name, value)
  }
  return xattrs.size === 0 ? undefined : xattrs
}

function whiteoutPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return `${path.slice(0, slash + 1)}.wh.${path.slice(slash + 1)}`
}

function hasSameOwner(a: BigIntStats, b: BigIntStats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}
