import { closeSync, constants, fchownSync, mkdirSync, openSync } from 'node:fs'
import { posix } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { parentOf, TarError, toText } from '@ctr/images'
import { O_PATH } from '@ctr/linux'
import { below, openInside } from '../path.ts'
import { type Ownership, ownerOf } from './attributes.ts'

/** Where an archive is unpacked. */
export interface Target {
  /** The container's root. */
  readonly root: number
  /** Absolute in the container. */
  readonly path: string
}

export const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const PARENT = O_PATH | constants.O_DIRECTORY
/** Docker's for directories that only members below them name. */
const IMPLIED_MODE = 0o777

/** The directories that members of an archive lie in, resolved inside the container's root by openat2(2) each time. */
export class Directories implements Disposable {
  readonly #target: Target
  readonly #ownership: Ownership
  #path: string | undefined
  #fd = -1

  constructor(target: Target, ownership: Ownership) {
    this.#target = target
    this.#ownership = ownership
  }

  /** The directory of the next member, kept open until another one is needed. */
  enter(path: string): number {
    if (this.#path === path) return this.#fd
    const fd = this.open(path)
    this[Symbol.dispose]()
    this.#fd = fd
    this.#path = path
    return fd
  }

  /** Follows symlinks inside the container, as Docker does; makes what is missing. The caller closes it. */
  open(path: string): number {
    try {
      return this.#open(path, PARENT)
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || path === '') throw error
    }
    const parent = this.open(parentOf(path))
    try {
      const node = below(parent, nameOf(path))
      mkdirSync(node, IMPLIED_MODE)
      const fd = openSync(node, OPEN_DIRECTORY)
      const { uid, gid } = ownerOf({ uid: 0, gid: 0 }, this.#ownership)
      fchownSync(fd, uid, gid)
      return fd
    } catch (error) {
      // A symlink that leads nowhere.
      if (isErrno(error, 'EEXIST')) throw new TarError(`not a directory: ${this.textOf(path)}`)
      throw error
    } finally {
      closeSync(parent)
    }
  }

  /** A directory that was a member itself: its last name is not followed. The caller closes it. */
  openMember(path: string): number {
    const parent = this.#open(parentOf(path), PARENT)
    try {
      return openSync(below(parent, nameOf(path)), OPEN_DIRECTORY)
    } finally {
      closeSync(parent)
    }
  }

  /** Of a member's path: absolute in the container, for messages. */
  textOf(path: string): string {
    return posix.join(this.#target.path, toText(path))
  }

  [Symbol.dispose](): void {
    if (this.#fd !== -1) closeSync(this.#fd)
    this.#fd = -1
    this.#path = undefined
  }

  /** The kernel takes bytes; koffi makes them UTF-8 from text. Names that are no UTF-8 go one by one. */
  #open(path: string, flags: number): number {
    const text = toText(path)
    if (Buffer.from(text, 'utf8').toString('latin1') !== path) {
      throw new TarError(`a directory's name is not UTF-8: ${text}`)
    }
    return openInside(this.#target.root, posix.join(this.#target.path, text), flags)
  }
}

/** The last name of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
