import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { lgetxattr } from '@ctr/linux'

/** Not in node:fs. open(2), asm-generic/fcntl.h */
const O_PATH = 0o10000000
const MAX_SYMLINKS = 40

/**
 * Reads an overlay without mounting it: directories of several layers (upper first) seen as one tree. Every step opens
 * one name below an open directory without following it, so that neither a symlink of an image nor a container that
 * changes its upper directory meanwhile can lead outside. Symlinks are resolved here, inside the root.
 */
export class MergedTree {
  readonly #fds = new Set<number>()
  readonly #root: readonly number[]

  constructor(layers: readonly string[]) {
    try {
      const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW
      this.#root = layers.map((layer) => this.#keep(openSync(layer, flags)))
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** The inode at `path`, undefined where there is none. With `follow` a symlink at the end is resolved as well. */
  lookup(path: string, options: { follow: boolean }): { path: string; stats: Stats } | undefined {
    const pending = path.split('/').reverse()
    const trail: (readonly number[])[] = [this.#root]
    let symlinks = 0
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (trail.length > 1) trail.pop()
        continue
      }
      const found = this.#step(trail.at(-1) ?? [], name)
      if (found === undefined) return undefined
      if (found.directories !== undefined) {
        trail.push(found.directories)
        continue
      }
      const isLast = pending.every((rest) => rest === '')
      if (found.stats.isSymbolicLink() && (!isLast || options.follow)) {
        symlinks += 1
        if (symlinks > MAX_SYMLINKS)
          throw new EngineError('INVALID_ARGUMENT', `${path}: too many symbolic links`)
        const target = readLink(found.path)
        if (target === undefined) return undefined
        if (target.startsWith('/')) trail.length = 1
        pending.push(...target.split('/').reverse())
        continue
      }
      return isLast ? { path: `/proc/self/fd/${found.fd}`, stats: found.stats } : undefined
    }
    const fd = trail.at(-1)?.[0]
    return fd === undefined ? undefined : { path: `/proc/self/fd/${fd}`, stats: fstatSync(fd) }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd)
    this.#fds.clear()
  }

  #step(
    directories: readonly number[],
    name: string,
  ): { fd: number; path: string; stats: Stats; directories: number[] | undefined } | undefined {
    const found: number[] = []
    for (const directory of directories) {
      const path = `/proc/self/fd/${directory}/${name}`
      const fd = this.#open(path)
      if (fd === undefined) continue
      const stats = fstatSync(fd)
      const isWhiteout = stats.isCharacterDevice() && stats.rdev === 0
      if (isWhiteout) break
      if (!stats.isDirectory()) {
        if (found.length > 0) break
        return { fd, path, stats, directories: undefined }
      }
      found.push(fd)
      if (lgetxattr(`/proc/self/fd/${fd}/.`, 'trusted.overlay.opaque')?.toString() === 'y') break
    }
    const [fd] = found
    if (fd === undefined) return undefined
    return { fd, path: `/proc/self/fd/${fd}`, stats: fstatSync(fd), directories: found }
  }

  #open(path: string): number | undefined {
    try {
      return this.#keep(openSync(path, O_PATH | constants.O_NOFOLLOW))
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined
      throw error
    }
  }

  #keep(fd: number): number {
    this.#fds.add(fd)
    return fd
  }
}

/** Undefined when the container has put something else in its place. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'ENOENT')) return undefined
    throw error
  }
}

/**
 * A regular file of an overlay, undefined when it is missing or no regular file. Opens the inode that was looked at,
 * so a FIFO or a device that takes its place is never opened.
 */
export function readRootFile(
  layers: readonly string[],
  path: string,
  maxBytes: number,
): Buffer | undefined {
  using tree = new MergedTree(layers)
  const found = tree.lookup(path, { follow: true })
  if (found === undefined || !found.stats.isFile()) return undefined
  if (found.stats.size > maxBytes) {
    throw new EngineError('INVALID_ARGUMENT', `${path} is larger than ${maxBytes} bytes`)
  }
  const fd = openSync(found.path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    // One byte more than it has: a file that has not grown ends with the second read.
    let buffer = Buffer.allocUnsafe(Math.min(found.stats.size + 1, maxBytes))
    let length = 0
    while (length < maxBytes) {
      if (length === buffer.length) {
        const more = Buffer.allocUnsafe(Math.min(length, maxBytes - length))
        buffer = Buffer.concat([buffer, more])
      }
      const read = readSync(fd, buffer, length, buffer.length - length, length)
      if (read === 0) break
      length += read
    }
    return buffer.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}
