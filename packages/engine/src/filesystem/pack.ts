import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readlinkSync,
} from 'node:fs'
import type { PathStat } from '@ctr/api'
import { EngineError, isErrno } from '@ctr/errdefs'
import { fromText } from '@ctr/images'
import { deviceNumbers } from '@ctr/linux'
import type { IdMaps } from '@ctr/shim'
import { toEntry, xattrsOf, xattrsOfFile } from './attributes.ts'
import { below, type OpenedPath, openPath } from './path.ts'
import { TarOutput } from './tar-output.ts'
import type { Control } from './worker/protocol.ts'

export interface PackJob {
  readonly rootPath: string
  /** In the container. */
  readonly path: string
  /** `export`: members are named relative to the path, which has no member of its own. */
  readonly isContentOnly: boolean
  /** Of a running container: the archive has the ids of its inside. */
  readonly idMaps?: IdMaps | undefined
}

export interface PackSink {
  stat(stat: PathStat): void
  chunk(chunk: Uint8Array<ArrayBuffer>): void
}

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** A FIFO that takes a file's place must not block us, nor a terminal become ours. */
const FILE_FLAGS =
  constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
/** One descriptor each. A path of the kernel's has at most 2048 names, so deeper trees cannot be unpacked by anyone. */
const MAX_DEPTH = 1024
/** Names of a directory that are sorted and kept in memory at a time. */
const NAMES = 4096
/** Files with several links whose first names are remembered; what comes later is archived as copies. */
const MAX_LINKS = 100_000
/** Removed, replaced or forbidden since it was seen: left out. */
const GONE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EACCES', 'EPERM', 'ESTALE', 'ESRCH']
/** Files of proc and sysfs that refuse to be read. */
const UNREADABLE = [...GONE, 'EINVAL', 'EIO', 'EISDIR', 'EAGAIN', 'EBUSY', 'EOPNOTSUPP', 'ENOTSUP']

/** Archives a path of a container that may be changing it: nothing is followed, nothing is waited for. */
export function packPath(job: PackJob, control: Control, sink: PackSink): void {
  using opened = openPath(job.rootPath, job.path)
  sink.stat(opened.stat)
  const output = new TarOutput(control, (chunk) => sink.chunk(chunk))
  new Packer(output, control, job.idMaps).top(opened, job.isContentOnly)
  output.finish()
}

class Packer {
  readonly #output: TarOutput
  readonly #control: Control
  readonly #idMaps: IdMaps | undefined
  /** First path of a file with several links, by device and inode. */
  readonly #links = new Map<string, string>()

  constructor(output: TarOutput, control: Control, idMaps: IdMaps | undefined) {
    this.#idMaps = idMaps
    this.#output = output
    this.#control = control
  }

  top(opened: OpenedPath, isContentOnly: boolean): void {
    const name = fromText(opened.path.name)
    const { parent } = opened
    if (parent !== undefined && !opened.stats.isDirectory()) {
      this.#node(parent.fd, fromText(parent.name), name, 0)
      return
    }
    const fd = openSync(`/proc/self/fd/${opened.fd}`, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      if (isContentOnly) this.#children(fd, '', 0)
      // The root's own member is `/`, and `/bin` its child's.
      else this.#directory(fd, name === '/' ? '' : name, 0)
    } finally {
      closeSync(fd)
    }
  }

  #directory(fd: number, path: string, depth: number): void {
    const stats = fstatSync(fd, { bigint: true })
    const xattrs = xattrsOfFile(fd)
    this.#output.add({ ...toEntry(`${path}/`, 'directory', stats, this.#idMaps), xattrs })
    this.#children(fd, `${path}/`, depth)
  }

  #children(fd: number, prefix: string, depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `directories are too deep: ${prefix.slice(0, 100)}…`,
      )
    }
    for (const name of namesIn(fd)) {
      this.#control.beat()
      try {
        this.#node(fd, name, `${prefix}${name}`, depth)
      } catch (error) {
        if (!isErrno(error, ...GONE)) throw error
      }
    }
  }

  #node(directory: number, name: string, path: string, depth: number): void {
    const nodePath = below(directory, name)
    // In numbers: these are most nodes, and tell the rest when they are open.
    const seen = lstatSync(nodePath)
    if (seen.isDirectory()) {
      const fd = openSync(nodePath, DIRECTORY_FLAGS)
      try {
        this.#directory(fd, path, depth + 1)
      } finally {
        closeSync(fd)
      }
      return
    }
    if (seen.isFile()) {
      this.#file(nodePath, path)
      return
    }
    const stats = lstatSync(nodePath, { bigint: true })
    const isReplaced = stats.isDirectory() || stats.isFile()
    if (stats.isSocket() || isReplaced) return
    if (stats.nlink > 1n && this.#addLink(path, stats)) return
    const xattrs = xattrsOf(nodePath)
    if (stats.isSymbolicLink()) {
      const linkTarget = readlinkSync(nodePath, { encoding: 'latin1' })
      this.#output.add({ ...toEntry(path, 'symlink', stats, this.#idMaps), linkTarget, xattrs })
      return
    }
    if (stats.isFIFO()) {
      this.#output.add({ ...toEntry(path, 'fifo', stats, this.#idMaps), xattrs })
      return
    }
    const type = stats.isBlockDevice() ? 'block' : 'character'
    this.#output.add({
      ...toEntry(path, type, stats, this.#idMaps),
      ...deviceNumbers(stats.rdev),
      xattrs,
    })
  }

  #file(nodePath: string | Buffer, path: string): void {
    let fd: number
    try {
      fd = openSync(nodePath, FILE_FLAGS)
    } catch (error) {
      if (isErrno(error, ...UNREADABLE)) return
      throw error
    }
    try {
      const stats = fstatSync(fd, { bigint: true })
      if (!stats.isFile()) return
      if (stats.nlink > 1n && this.#addLink(path, stats)) return
      const entry = { ...toEntry(path, 'file', stats, this.#idMaps), xattrs: xattrsOfFile(fd) }
      this.#addFile({ ...entry, size: Number(stats.size) }, fd)
    } finally {
      closeSync(fd)
    }
  }

  #addFile(entry: Parameters<TarOutput['addFile']>[0], fd: number): void {
    try {
      this.#output.addFile(entry, fd)
    } catch (error) {
      if (!isErrno(error, ...UNREADABLE)) throw error
    }
  }

  #addLink(path: string, stats: BigIntStats): boolean {
    const key = `${stats.dev}:${stats.ino}`
    const first = this.#links.get(key)
    if (first !== undefined) {
      this.#output.add({ ...toEntry(path, 'hardlink', stats, this.#idMaps), linkTarget: first })
      return true
    }
    if (this.#links.size < MAX_LINKS) this.#links.set(key, path)
    return false
  }
}

/** In order, except in a directory too large to be kept in memory: there by pieces. */
function* namesIn(fd: number): Generator<string> {
  // The bytes of a name are its latin1 characters; @types/node knows text encodings only.
  const directory = opendirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' as BufferEncoding })
  try {
    let names: string[] = []
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      names.push(entry.name)
      if (names.length < NAMES) continue
      yield* names.sort()
      names = []
    }
    yield* names.sort()
  } finally {
    directory.closeSync()
  }
}
