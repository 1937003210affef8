import { lstatSync, mkdirSync, rmSync, unlinkSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { TarError, toPathBytes } from '../tar/format.ts'
import { parentOf } from './clean-path.ts'

/** Attributes of a directory, set when everything in it is done. */
export interface DirectoryState {
  /** False while only a member below it has named it. */
  isExplicit: boolean
  mode: number
  uid: number
  gid: number
  mtimeSeconds: number
  mtimeNanoseconds: number
  xattrs: Map<string, Buffer> | undefined
  isOpaque: boolean
}

/** path_resolution(7): the kernel's own limit. */
const MAX_SYMLINKS = 40
const IMPLIED_DIRECTORY_MODE = 0o755

/**
 * The directories and symlinks of a tree that is being written by us alone, below a fresh directory. Every system call
 * gets a path whose parents are all in `#directories`, real directories made here: so a symlink, wherever it
 * points, is never followed by the kernel. Symlinks in the middle of a member's path are resolved here, inside the tree,
 * as a chroot would. Paths are latin1 without leading slash; '' is the root.
 */
export class UnpackTree {
  readonly #root: string
  readonly #directories = new Map<string, DirectoryState>()
  readonly #symlinks = new Map<string, string>()
  readonly #whiteouts = new Set<string>()
  #lastRaw = ''
  #lastResolved: string | undefined

  constructor(root: string) {
    this.#root = root
    this.#directories.set('', newState())
  }

  get directories(): ReadonlyMap<string, DirectoryState> {
    return this.#directories
  }

  /** The path on the host, as a latin1 string. */
  hostPath(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`
  }

  directory(path: string): DirectoryState | undefined {
    return this.#directories.get(path)
  }

  /** The real directory that `path` (cleaned) names; missing ones are made. */
  resolveDirectory(path: string): string {
    if (this.#lastResolved !== undefined && path === this.#lastRaw) return this.#lastResolved
    const resolved = this.#directories.has(path) ? path : this.#walk(path)
    this.#lastRaw = path
    this.#lastResolved = resolved
    return resolved
  }

  /** Makes `path`, or takes the directory that is there. Anything else there has been removed by `clear`. */
  addDirectory(path: string): DirectoryState {
    const existing = this.#directories.get(path)
    if (existing !== undefined) return existing
    mkdirSync(toPathBytes(this.hostPath(path)), 0o700)
    const state = newState()
    this.#directories.set(path, state)
    return state
  }

  addSymlink(path: string, target: string): void {
    this.#symlinks.set(path, target)
  }

  addWhiteout(path: string): void {
    this.#whiteouts.add(path)
  }

  /** Removes what an earlier member left at `path`. Returns true if that was a whiteout. */
  clear(path: string): boolean {
    if (path === '') throw new TarError('a member that is no directory names the root')
    const hostPath = toPathBytes(this.hostPath(path))
    this.#lastResolved = undefined
    if (this.#directories.has(path)) {
      rmSync(hostPath, { recursive: true })
      this.#forgetBelow(path)
      return false
    }
    try {
      unlinkSync(hostPath)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
    }
    this.#symlinks.delete(path)
    return this.#whiteouts.delete(path)
  }

  /** True if a member of this archive is at `path`. */
  has(path: string): boolean {
    if (this.#directories.has(path)) return true
    return lstatSync(toPathBytes(this.hostPath(path)), { throwIfNoEntry: false }) !== undefined
  }

  #walk(path: string): string {
    const pending = path.split('/').reverse()
    let current = ''
    let symlinks = 0
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        current = parentOf(current)
        continue
      }
      const next = current === '' ? name : `${current}/${name}`
      if (this.#directories.has(next)) {
        current = next
        continue
      }
      const target = this.#symlinks.get(next)
      if (target !== undefined) {
        symlinks += 1
        if (symlinks > MAX_SYMLINKS) throw new TarError(`too many symbolic links: ${path}`)
        if (target.startsWith('/')) current = ''
        pending.push(...target.split('/').reverse())
        continue
      }
      this.#makeImplied(next)
      current = next
    }
    return current
  }

  /** A parent that has no member of its own yet. It hides what lies below if this archive whited that out. */
  #makeImplied(path: string): void {
    const wasWhiteout = this.#whiteouts.has(path)
    if (wasWhiteout) this.clear(path)
    try {
      this.addDirectory(path).isOpaque = wasWhiteout
    } catch (error) {
      if (isErrno(error, 'EEXIST')) throw new TarError(`not a directory: ${path}`)
      throw error
    }
  }

  #forgetBelow(path: string): void {
    const prefix = `${path}/`
    const isBelow = (other: string): boolean => other === path || other.startsWith(prefix)
    for (const key of this.#directories.keys()) if (isBelow(key)) this.#directories.delete(key)
    for (const key of this.#symlinks.keys()) if (isBelow(key)) this.#symlinks.delete(key)
    for (const key of this.#whiteouts) if (isBelow(key)) this.#whiteouts.delete(key)
  }
}

function newState(): DirectoryState {
  return {
    isExplicit: false,
    mode: IMPLIED_DIRECTORY_MODE,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    xattrs: undefined,
    isOpaque: false,
  }
}
