import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import {
  cleanPath,
  parentOf,
  type TarEntry,
  TarError,
  type TarHandler,
  toPathBytes,
  toText,
} from '@ctr/images'
import { futimes, mknod } from '@ctr/linux'
import { below } from '../path.ts'
import { removeTree } from '../remove-tree.ts'
import type { Control } from '../worker/protocol.ts'
import { type Ownership, setAttributes, setNodeAttributes } from './attributes.ts'
import { Directories, nameOf, OPEN_DIRECTORY, type Target } from './directories.ts'
import { describeFailure } from './failure.ts'

/** What an archive may do to the container. */
export interface Rules extends Ownership {
  readonly noOverwriteDirNonDir: boolean
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** How often something that the container puts in the way is removed. */
const ATTEMPTS = 16
/** Directories whose times are set at the end; more are set as they come. */
const MAX_DIRECTORIES = 100_000

const NO_DIRECTORY = ['ENOENT', 'ENOTDIR', 'ELOOP']
const NODE_TYPES = {
  character: constants.S_IFCHR,
  block: constants.S_IFBLK,
  fifo: constants.S_IFIFO,
} as const

/**
 * Writes the members of an archive below a directory of a container. Parents are resolved inside the container's root
 * by openat2(2) each time; the last name is created below the parent's descriptor and never followed; attributes are set
 * through a descriptor of what was created.
 */
export class Extractor implements TarHandler, Disposable {
  readonly #rules: Rules
  readonly #target: Target
  readonly #control: Control
  readonly #parents: Directories
  readonly #directories = new Map<string, { seconds: number; nanoseconds: number }>()
  #file: TarEntry | undefined
  #fd = -1
  #end = 0

  constructor(rules: Rules, target: Target, control: Control) {
    this.#rules = rules
    this.#target = target
    this.#control = control
    this.#parents = new Directories(target, rules)
  }

  entry(entry: TarEntry): void {
    this.#control.beat()
    const path = cleanPath(entry.path)
    try {
      this.#entry(entry, path)
    } catch (error) {
      throw describeFailure(error, this.#parents.textOf(path))
    }
  }

  data(chunk: Buffer, position: number): void {
    try {
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(this.#fd, chunk, done, chunk.length - done, position + done)
      }
    } catch (error) {
      throw describeFailure(error, this.#parents.textOf(this.#file?.path ?? ''))
    }
    this.#end = position + chunk.length
  }

  end(): void {
    const entry = this.#file
    if (entry === undefined) return
    try {
      if (this.#end < entry.size) ftruncateSync(this.#fd, entry.size)
      setAttributes(this.#fd, entry, this.#rules)
      futimes(this.#fd, entry.mtimeSeconds, entry.mtimeNanoseconds)
    } catch (error) {
      throw describeFailure(error, this.#parents.textOf(entry.path))
    } finally {
      this.#closeFile()
    }
  }

  /** Times of directories, after everything in them is done. */
  finish(): void {
    for (const [path, { seconds, nanoseconds }] of this.#directories) {
      this.#control.beat()
      try {
        const fd = this.#parents.openMember(path)
        try {
          futimes(fd, seconds, nanoseconds)
        } finally {
          closeSync(fd)
        }
      } catch (error) {
        // The container has moved it away.
        if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP'))
          throw describeFailure(error, this.#parents.textOf(path))
      }
    }
  }

  [Symbol.dispose](): void {
    this.#closeFile()
    this.#parents[Symbol.dispose]()
  }

  #entry(entry: TarEntry, path: string): void {
    if (path === '') {
      // Docker leaves the attributes of the directory that is copied into.
      if (entry.type !== 'directory')
        throw new TarError('a member that is no directory names the root')
      return
    }
    const parent = this.#parents.enter(parentOf(path))
    const name = nameOf(path)
    if (entry.type === 'directory') this.#directory(parent, name, path, entry)
    else this.#node(parent, name, path, entry)
  }

  #directory(parent: number, name: string, path: string, entry: TarEntry): void {
    const fd = this.#retry(parent, name, path, entry, (isThere) => {
      if (!isThere) mkdirSync(below(parent, name), 0o700)
      return openSync(below(parent, name), OPEN_DIRECTORY)
    })
    try {
      setAttributes(fd, entry, this.#rules, `/proc/self/fd/${fd}/.`)
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
        setNodeAttributes(parent, name, entry, this.#rules)
        return
      case 'character':
      case 'block':
      case 'fifo':
        create(() => mknod(nodePath, NODE_TYPES[type] | entry.mode, entry.major, entry.minor))
        setNodeAttributes(parent, name, entry, this.#rules)
    }
  }

  #hardlink(nodePath: string | Buffer, entry: TarEntry, create: (make: () => void) => void): void {
    const target = cleanPath(entry.linkTarget)
    if (target === '') {
      throw new TarError(`invalid hardlink ${toText(entry.path)} -> ${toText(entry.linkTarget)}`)
    }
    if (target === cleanPath(entry.path)) return
    const directory = this.#parents.open(parentOf(target))
    try {
      const name = nameOf(target)
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
    if (!this.#rules.noOverwriteDirNonDir || existing.isDirectory() === isDirectory) return
    const [old, fresh] = isDirectory
      ? ['non-directory', 'directory']
      : ['directory', 'non-directory']
    const text = JSON.stringify(this.#parents.textOf(path))
    throw new EngineError(
      'INVALID_ARGUMENT',
      `cannot overwrite ${old} ${text} with ${fresh} ${JSON.stringify(this.#target.path)}`,
    )
  }

  #closeFile(): void {
    if (this.#fd !== -1) closeSync(this.#fd)
    this.#fd = -1
    this.#file = undefined
  }
}

function statBelow(parent: number, name: string): Stats | undefined {
  return lstatSync(below(parent, name), { throwIfNoEntry: false })
}
