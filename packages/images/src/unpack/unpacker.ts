import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { futimes, lsetxattr, lutimes, mknod } from '@ctr/linux'
import { type TarEntry, TarError, toPathBytes } from '../tar/format.ts'
import type { TarHandler } from '../tar/parser.ts'
import { cleanPath, parentOf } from './clean-path.ts'
import { type DirectoryState, UnpackTree } from './tree.ts'

export interface UnpackOptions {
  /** `overlay`: `.wh.` members become overlay whiteouts (a layer). `literal`: they are files like any other. */
  whiteouts: 'overlay' | 'literal'
}

export interface UnpackResult {
  /** Sum of file sizes and of symlink targets, as Docker counts a layer. */
  size: number
  entries: number
  /** Directories that only members below them named, parents first, as latin1. '' is the root. */
  impliedDirectories: string[]
}

/** AUFS's notation, which the image-spec took over. layer.md "Whiteouts" */
const WHITEOUT_PREFIX = '.wh.'
const OPAQUE_MARKER = '.wh..wh..opq'
const META_PREFIX = '.wh..wh.'
const OVERLAY_XATTR_PREFIX = 'trusted.overlay.'
const O_CREATE_NEW =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const SPECIAL_BITS = 0o7000

/** Writes the members of an archive below `root`, a fresh directory nobody else knows. See UnpackTree for why that is safe. */
export class Unpacker implements TarHandler {
  readonly #tree: UnpackTree
  readonly #options: UnpackOptions
  readonly #umask: number
  #fd = -1
  #file: TarEntry | undefined
  #filePath: string | Buffer = ''
  #fileEnd = 0
  #size = 0
  #entries = 0

  /** `root` as latin1 bytes. */
  constructor(root: string, options: UnpackOptions) {
    this.#tree = new UnpackTree(root)
    this.#options = options
    this.#umask = readUmask()
  }

  entry(entry: TarEntry): void {
    this.#entries += 1
    const path = cleanPath(entry.path)
    if (path === '') {
      if (entry.type !== 'directory')
        throw new TarError('a member that is no directory names the root')
      setDirectory(this.#tree.addDirectory(''), entry)
      return
    }
    const parent = this.#tree.resolveDirectory(parentOf(path))
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (this.#options.whiteouts === 'overlay' && name.startsWith(WHITEOUT_PREFIX)) {
      this.#whiteout(parent, name)
      return
    }
    this.#make(parent === '' ? name : `${parent}/${name}`, entry)
  }

  data(chunk: Buffer, position: number): void {
    if (this.#fd === -1) return
    for (let done = 0; done < chunk.length; ) {
      done += writeSync(this.#fd, chunk, done, chunk.length - done, position + done)
    }
    this.#fileEnd = position + chunk.length
  }

  end(): void {
    const entry = this.#file
    if (entry === undefined || this.#fd === -1) return
    if (this.#fileEnd < entry.size) ftruncateSync(this.#fd, entry.size)
    if (entry.uid !== 0 || entry.gid !== 0) fchownSync(this.#fd, entry.uid, entry.gid)
    if ((entry.mode & (this.#umask | SPECIAL_BITS)) !== 0) fchmodSync(this.#fd, entry.mode)
    if (entry.xattrs !== undefined) setXattrs(this.#filePath, entry.xattrs)
    futimes(this.#fd, entry.mtimeSeconds, entry.mtimeNanoseconds)
    this.abort()
  }

  /** Closes what is open. The directory is the caller's to remove. */
  abort(): void {
    if (this.#fd !== -1) closeSync(this.#fd)
    this.#fd = -1
    this.#file = undefined
  }

  /** Sets the attributes of directories, last ones first. Call once, after the parser's `finish`. */
  finish(): UnpackResult {
    const impliedDirectories: string[] = []
    for (const [path, state] of [...this.#tree.directories].reverse()) {
      finishDirectory(this.#tree.hostPath(path), state)
      if (!state.isExplicit) impliedDirectories.push(path)
    }
    return {
      size: this.#size,
      entries: this.#entries,
      impliedDirectories: impliedDirectories.reverse(),
    }
  }

  #make(path: string, entry: TarEntry): void {
    const hostPath = this.#tree.hostPath(path)
    switch (entry.type) {
      case 'directory': {
        const isThere = this.#tree.directory(path) !== undefined
        const wasWhiteout = !isThere && this.#tree.has(path) && this.#tree.clear(path)
        const state = this.#tree.addDirectory(path)
        setDirectory(state, entry)
        if (wasWhiteout) state.isOpaque = true
        return
      }
      case 'file':
        this.#filePath = toPathBytes(hostPath)
        this.#fd = this.#openNew(path, this.#filePath, entry.mode & 0o777)
        this.#file = entry
        this.#fileEnd = 0
        this.#size += entry.size
        return
      case 'hardlink': {
        const target = cleanPath(entry.linkTarget)
        if (target === '')
          throw new TarError(`invalid hardlink ${entry.path} -> ${entry.linkTarget}`)
        const directory = this.#tree.resolveDirectory(parentOf(target))
        const name = target.slice(target.lastIndexOf('/') + 1)
        const source = directory === '' ? name : `${directory}/${name}`
        if (source === path) return
        // link(2) does not follow a symlink in the last component.
        this.#create(path, () =>
          linkSync(toPathBytes(this.#tree.hostPath(source)), toPathBytes(hostPath)),
        )
        return
      }
      case 'symlink':
        this.#create(path, () => symlinkSync(toPathBytes(entry.linkTarget), toPathBytes(hostPath)))
        this.#tree.addSymlink(path, entry.linkTarget)
        this.#size += entry.linkTarget.length
        this.#finishNode(hostPath, entry)
        return
      case 'character':
      case 'block':
      case 'fifo':
        this.#create(path, () =>
          mknod(toPathBytes(hostPath), nodeMode(entry), entry.major, entry.minor),
        )
        this.#finishNode(hostPath, entry)
        chmodSync(toPathBytes(hostPath), entry.mode)
        return
    }
  }

  #openNew(path: string, hostPath: string | Buffer, mode: number): number {
    return this.#create(path, () => openSync(hostPath, O_CREATE_NEW, mode))
  }

  /** Runs `create`; when an earlier member is in the way, removes that and runs it again. */
  #create<T>(path: string, create: () => T): T {
    try {
      return create()
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      this.#tree.clear(path)
      return create()
    }
  }

  #finishNode(hostPath: string, entry: TarEntry): void {
    const target = toPathBytes(hostPath)
    if (entry.uid !== 0 || entry.gid !== 0) lchownSync(target, entry.uid, entry.gid)
    if (entry.xattrs !== undefined) setXattrs(target, entry.xattrs)
    lutimes(target, entry.mtimeSeconds, entry.mtimeNanoseconds)
  }

  #whiteout(parent: string, name: string): void {
    if (name === OPAQUE_MARKER) {
      const state = this.#tree.directory(parent)
      if (state !== undefined) state.isOpaque = true
      return
    }
    // AUFS's own files (.wh..wh.plnk, .wh..wh.aufs) mean nothing outside AUFS.
    if (name.startsWith(META_PREFIX)) return
    const hidden = name.slice(WHITEOUT_PREFIX.length)
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new TarError(`invalid whiteout ${name}`)
    }
    const path = parent === '' ? hidden : `${parent}/${hidden}`
    const state = this.#tree.directory(path)
    // A whiteout hides the layers below only: what this layer holds stays, and is all there is.
    if (state !== undefined) {
      state.isOpaque = true
      return
    }
    if (this.#tree.has(path)) return
    mknod(toPathBytes(this.#tree.hostPath(path)), constants.S_IFCHR, 0, 0)
    this.#tree.addWhiteout(path)
  }
}

function setDirectory(state: DirectoryState, entry: TarEntry): void {
  state.isExplicit = true
  state.mode = entry.mode
  state.uid = entry.uid
  state.gid = entry.gid
  state.mtimeSeconds = entry.mtimeSeconds
  state.mtimeNanoseconds = entry.mtimeNanoseconds
  state.xattrs = entry.xattrs
}

function finishDirectory(hostPath: string, state: DirectoryState): void {
  const target = toPathBytes(hostPath)
  if (state.uid !== 0 || state.gid !== 0) lchownSync(target, state.uid, state.gid)
  chmodSync(target, state.mode)
  if (state.xattrs !== undefined) setXattrs(target, state.xattrs)
  if (state.isOpaque) lsetxattr(target, `${OVERLAY_XATTR_PREFIX}opaque`, Buffer.from('y'))
  if (state.isExplicit) lutimes(target, state.mtimeSeconds, state.mtimeNanoseconds)
}

/** Overlay's own attributes are ours to set: one from an image could redirect a directory. Unsupported ones are left out. */
function setXattrs(target: string | Buffer, xattrs: Map<string, Buffer>): void {
  for (const [name, value] of xattrs) {
    if (name.startsWith(OVERLAY_XATTR_PREFIX)) continue
    try {
      lsetxattr(target, name, value)
    } catch (error) {
      if (!isErrno(error, 'EOPNOTSUPP', 'ENOTSUP', 'EPERM')) throw error
    }
  }
}

function nodeMode(entry: TarEntry): number {
  const type =
    entry.type === 'character'
      ? constants.S_IFCHR
      : entry.type === 'block'
        ? constants.S_IFBLK
        : constants.S_IFIFO
  return type | entry.mode
}

/** process.umask() would set it for a moment; /proc/PID/status has the line since Linux 4.7. */
function readUmask(): number {
  const match = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))
  return match?.[1] === undefined ? 0o777 : Number.parseInt(match[1], 8)
}
