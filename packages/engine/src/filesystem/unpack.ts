import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  type Stats,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { posix } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import {
  cleanPath,
  decompressSniffed,
  parentOf,
  type TarEntry,
  TarError,
  type TarHandler,
  TarParser,
  toPathBytes,
  toText,
} from '@ctr/images'
import { fsetxattr, futimes, lsetxattr, lutimes, mknod, O_PATH, readMountInfo } from '@ctr/linux'
import type { IdMaps } from '@ctr/shim'
import { outsideId } from '../user-namespace/ids.ts'
import { isLocalXattr } from './attributes.ts'
import { below, openInside, parseContainerPath } from './path.ts'
import { removeTree } from './remove-tree.ts'
import type { Control } from './worker/protocol.ts'

export interface UnpackJob {
  readonly rootPath: string
  /** Whose mounts the root's are. */
  readonly pid: number
  /** A directory in the container. */
  readonly path: string
  readonly isReadOnlyRoot: boolean
  readonly noOverwriteDirNonDir: boolean
  /** Instead of the archive's. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Of a running container: the archive has the ids of its inside. */
  readonly idMaps?: IdMaps | undefined
}

/** Unpacks an archive into a directory of a container that may be changing it. What was unpacked before a failure stays. */
export async function unpackInto(
  job: UnpackJob,
  control: Control,
  archive: AsyncIterable<Buffer>,
): Promise<void> {
  using target = openTarget(job)
  using extractor = new Extractor(job, target, control)
  const parser = new TarParser(extractor)
  for await (const chunk of decompressSniffed(archive)) {
    control.beat()
    parser.write(chunk)
  }
  parser.finish()
  extractor.finish()
}

interface Target extends Disposable {
  readonly root: number
  /** Absolute in the container. */
  readonly path: string
}

/** moby daemon/archive.go ContainerExtractToDir */
function openTarget(job: UnpackJob): Target {
  const { absolute } = parseContainerPath(job.path)
  using stack = new DisposableStack()
  const keep = (fd: number): number => {
    stack.defer(() => closeSync(fd))
    return fd
  }
  const root = keep(openSync(job.rootPath, O_PATH | constants.O_DIRECTORY))
  const fd = keep(openInside(root, absolute, O_PATH))
  if (!fstatSync(fd).isDirectory()) {
    throw new EngineError('INVALID_ARGUMENT', 'extraction point is not a directory')
  }
  refuseReadOnly(job, root, fd)
  const disposal = stack.move()
  return { root, path: posix.normalize(absolute), [Symbol.dispose]: () => disposal.dispose() }
}

function refuseReadOnly(job: UnpackJob, root: number, fd: number): void {
  const mountId = mountIdOf(fd)
  if (mountId === mountIdOf(root)) {
    if (!job.isReadOnlyRoot) return
    throw new EngineError('FORBIDDEN', 'container rootfs is marked read-only')
  }
  const mount = readMountInfo(job.pid).find(({ id }) => id === mountId)
  if (mount === undefined) return
  if (mount.options.includes('ro') || mount.superOptions.includes('ro')) {
    throw new EngineError('FORBIDDEN', 'mounted volume is marked read-only')
  }
}

/** proc_pid_fdinfo(5) */
function mountIdOf(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
  return Number(/^mnt_id:\s*([0-9]+)$/m.exec(text)?.[1])
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const PARENT = O_PATH | constants.O_DIRECTORY
/** Docker's for directories that only members below them name. */
const IMPLIED_MODE = 0o777
/** How often something that the container puts in the way is removed. */
const ATTEMPTS = 16
/** Directories whose times are set at the end; more are set as they come. */
const MAX_DIRECTORIES = 100_000

/**
 * Writes the members of an archive below a directory of a container. Parents are resolved inside the container's root
 * by openat2(2) each time; the last name is created below the parent's descriptor and never followed; attributes are set
 * through a descriptor of what was created.
 */
class Extractor implements TarHandler, Disposable {
  readonly #job: UnpackJob
  readonly #target: Target
  readonly #control: Control
  readonly #directories = new Map<string, { seconds: number; nanoseconds: number }>()
  #parentPath: string | undefined
  #parentFd = -1
  #file: TarEntry | undefined
  #fd = -1
  #end = 0

  constructor(job: UnpackJob, target: Target, control: Control) {
    this.#job = job
    this.#target = target
    this.#control = control
  }

  entry(entry: TarEntry): void {
    this.#control.beat()
    const path = cleanPath(entry.path)
    try {
      this.#entry(entry, path)
    } catch (error) {
      throw describe(error, this.#textOf(path))
    }
  }

  data(chunk: Buffer, position: number): void {
    try {
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(this.#fd, chunk, done, chunk.length - done, position + done)
      }
    } catch (error) {
      throw describe(error, this.#textOf(this.#file?.path ?? ''))
    }
    this.#end = position + chunk.length
  }

  end(): void {
    const entry = this.#file
    if (entry === undefined) return
    try {
      if (this.#end < entry.size) ftruncateSync(this.#fd, entry.size)
      this.#setAttributes(this.#fd, entry)
      futimes(this.#fd, entry.mtimeSeconds, entry.mtimeNanoseconds)
    } catch (error) {
      throw describe(error, this.#textOf(entry.path))
    } finally {
      this.#closeFile()
    }
  }

  /** Times of directories, after everything in them is done. */
  finish(): void {
    for (const [path, { seconds, nanoseconds }] of this.#directories) {
      this.#control.beat()
      try {
        const fd = this.#openDirectory(path)
        try {
          futimes(fd, seconds, nanoseconds)
        } finally {
          closeSync(fd)
        }
      } catch (error) {
        // The container has moved it away.
        if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw describe(error, this.#textOf(path))
      }
    }
  }

  [Symbol.dispose](): void {
    this.#closeFile()
    if (this.#parentFd !== -1) closeSync(this.#parentFd)
    this.#parentFd = -1
  }

  #entry(entry: TarEntry, path: string): void {
    if (path === '') {
      // Docker leaves the attributes of the directory that is copied into.
      if (entry.type !== 'directory')
        throw new TarError('a member that is no directory names the root')
      return
    }
    const parent = this.#parent(parentOf(path))
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (entry.type === 'directory') this.#directory(parent, name, path, entry)
    else this.#node(parent, name, path, entry)
  }

  #directory(parent: number, name: string, path: string, entry: TarEntry): void {
    const fd = this.#retry(parent, name, path, entry, (isThere) => {
      if (!isThere) mkdirSync(below(parent, name), 0o700)
      return openSync(below(parent, name), OPEN_DIRECTORY)
    })
    try {
      this.#setAttributes(fd, entry, `/proc/self/fd/${fd}/.`)
      const times = { seconds: entry.mtimeSeconds, nanoseconds: entry.mtimeNanoseconds }
      if (this.#directories.size < MAX_DIRECTORIES) this.#directories.set(path, times)
      else futimes(fd, times.seconds, times.nanoseconds)
    } finally {
      closeSync(fd)
    }
  }

  #node(parent: number, name: string, path: string, entry: TarEntry): void {
    const nodePath = below(parent, name)
    const create = <T>(make: () => T): T => this.#retry(parent, name, path, entry, make)
    const { type } = entry
    switch (type) {
      case 'directory':
        return
      case 'file':
        this.#fd = create(() => openSync(nodePath, CREATE, 0o600))
        this.#file = entry
        this.#end = 0
        return
      case 'hardlink':
        this.#hardlink(nodePath, entry, create)
        return
      case 'symlink':
        create(() => symlinkSync(toPathBytes(entry.linkTarget), nodePath))
        this.#setNodeAttributes(parent, name, entry)
        return
      case 'character':
      case 'block':
      case 'fifo':
        create(() => mknod(nodePath, NODE_TYPES[type] | entry.mode, entry.major, entry.minor))
        this.#setNodeAttributes(parent, name, entry)
    }
  }

  #hardlink(nodePath: string | Buffer, entry: TarEntry, create: (make: () => void) => void): void {
    const target = cleanPath(entry.linkTarget)
    if (target === '') {
      throw new TarError(`invalid hardlink ${toText(entry.path)} -> ${toText(entry.linkTarget)}`)
    }
    if (target === cleanPath(entry.path)) return
    const directory = this.#openParent(parentOf(target))
    try {
      const name = target.slice(target.lastIndexOf('/') + 1)
      // link(2) does not follow a symlink in the last component.
      create(() => linkSync(below(directory, name), nodePath))
    } finally {
      closeSync(directory)
    }
  }

  /** Makes something at a name; what is there is replaced by Docker's rules. moby pkg/archive Unpack */
  #retry<T>(
    parent: number,
    name: string,
    path: string,
    entry: TarEntry,
    make: (isThere: boolean) => T,
  ): T {
    const isDirectory = entry.type === 'directory'
    for (let attempt = 1; ; attempt++) {
      const existing = statBelow(parent, name)
      if (existing !== undefined) this.#refuseOverwrite(existing, isDirectory, path)
      const isThere = isDirectory && existing?.isDirectory() === true
      if (existing !== undefined && !isThere) removeTree(parent, name, () => this.#control.beat())
      try {
        return make(isThere)
      } catch (error) {
        // The container was faster.
        const isRace = isErrno(error, 'EEXIST') || (isDirectory && isErrno(error, ...NO_DIRECTORY))
        if (!isRace || attempt === ATTEMPTS) throw error
      }
    }
  }

  #refuseOverwrite(existing: Stats, isDirectory: boolean, path: string): void {
    if (!this.#job.noOverwriteDirNonDir || existing.isDirectory() === isDirectory) return
    const [old, fresh] = isDirectory
      ? ['non-directory', 'directory']
      : ['directory', 'non-directory']
    const text = JSON.stringify(this.#textOf(path))
    throw new EngineError(
      'INVALID_ARGUMENT',
      `cannot overwrite ${old} ${text} with ${fresh} ${JSON.stringify(this.#target.path)}`,
    )
  }

  #outside({ uid, gid }: { readonly uid: number; readonly gid: number }): {
    uid: number
    gid: number
  } {
    const { idMaps } = this.#job
    return { uid: outsideId(uid, idMaps?.uids), gid: outsideId(gid, idMaps?.gids) }
  }

  /** Owner before mode: chown(2) clears the set-id bits. */
  #setAttributes(fd: number, entry: TarEntry, directory?: string): void {
    const { uid, gid } = this.#outside(this.#job.owner ?? entry)
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
  #setNodeAttributes(parent: number, name: string, entry: TarEntry): void {
    const nodePath = below(parent, name)
    const fd = openSync(nodePath, O_PATH | constants.O_NOFOLLOW)
    try {
      const { uid, gid } = this.#outside(this.#job.owner ?? entry)
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

  /** The directory of the next member, kept open until another one is needed. */
  #parent(path: string): number {
    if (this.#parentPath === path) return this.#parentFd
    const fd = this.#openParent(path)
    if (this.#parentFd !== -1) closeSync(this.#parentFd)
    this.#parentFd = fd
    this.#parentPath = path
    return fd
  }

  /** Follows symlinks inside the container, as Docker does; makes what is missing. */
  #openParent(path: string): number {
    try {
      return this.#open(path, PARENT)
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || path === '') throw error
    }
    const parent = this.#openParent(parentOf(path))
    try {
      const node = below(parent, path.slice(path.lastIndexOf('/') + 1))
      mkdirSync(node, IMPLIED_MODE)
      const fd = openSync(node, OPEN_DIRECTORY)
      const { uid, gid } = this.#outside(this.#job.owner ?? { uid: 0, gid: 0 })
      fchownSync(fd, uid, gid)
      return fd
    } catch (error) {
      // A symlink that leads nowhere.
      if (isErrno(error, 'EEXIST')) throw new TarError(`not a directory: ${this.#textOf(path)}`)
      throw error
    } finally {
      closeSync(parent)
    }
  }

  #openDirectory(path: string): number {
    const parent = this.#open(parentOf(path), PARENT)
    try {
      return openSync(below(parent, path.slice(path.lastIndexOf('/') + 1)), OPEN_DIRECTORY)
    } finally {
      closeSync(parent)
    }
  }

  #open(path: string, flags: number): number {
    // The kernel takes bytes; koffi makes them UTF-8 from text. Names that are no UTF-8 go one by one.
    return openBytes(this.#target.root, this.#target.path, path, flags)
  }

  #textOf(path: string): string {
    return posix.join(this.#target.path, toText(path))
  }

  #closeFile(): void {
    if (this.#fd !== -1) closeSync(this.#fd)
    this.#fd = -1
    this.#file = undefined
  }
}

const NO_DIRECTORY = ['ENOENT', 'ENOTDIR', 'ELOOP']

function openBytes(root: number, target: string, path: string, flags: number): number {
  const text = toText(path)
  if (Buffer.from(text, 'utf8').toString('latin1') !== path) {
    throw new TarError(`a directory's name is not UTF-8: ${text}`)
  }
  return openInside(root, posix.join(target, text), flags)
}

function statBelow(parent: number, name: string): Stats | undefined {
  return lstatSync(below(parent, name), { throwIfNoEntry: false })
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

const NODE_TYPES = {
  character: constants.S_IFCHR,
  block: constants.S_IFBLK,
  fifo: constants.S_IFIFO,
} as const

const REASONS: Readonly<Record<string, string>> = {
  EROFS: 'read-only file system',
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EPERM: 'operation not permitted',
  EACCES: 'permission denied',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EBUSY: 'device or resource busy',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EEXIST: 'file exists',
}

/** What failed at a member is no matter of the path that the client asked for. */
function describe(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof EngineError || error.name === 'TarError') {
    return error
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === '') return error
  const kind = code === 'EROFS' ? 'FORBIDDEN' : 'INTERNAL'
  return new EngineError(kind, `${path}: ${REASONS[code] ?? code}`, { cause: error })
}
