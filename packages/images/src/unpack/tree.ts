import { TarError } from '../tar/format.ts'
import { parentOf } from './clean-path.ts'
import type { FileProgram } from './file-program.ts'

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
  /** Paths of what we know directly below: directories, symlinks, whiteouts. Some may be gone. */
  below: string[] | undefined
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
  readonly #program: FileProgram
  readonly #directories = new Map<string, DirectoryState>()
  readonly #symlinks = new Map<string, string>()
  readonly #whiteouts = new Set<string>()
  #lastRaw = ''
  #lastResolved: string | undefined

  constructor(program: FileProgram) {
    this.#program = program
    this.#directories.set('', newState())
  }

  get directories(): ReadonlyMap<string, DirectoryState> {
    return this.#directories
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

  /** Makes `path`, or takes the directory that is there. Anything else there gives way, a whiteout to a directory that hides as much. */
  addDirectory(path: string): DirectoryState {
    const existing = this.#directories.get(path)
    if (existing !== undefined) return existing
    const state = newState()
    state.isOpaque = this.clear(path)
    this.#program.directory(path, false)
    this.#directories.set(path, state)
    this.#noteBelow(path)
    return state
  }

  addSymlink(path: string, target: string): void {
    this.#symlinks.set(path, target)
    this.#noteBelow(path)
  }

  addWhiteout(path: string): void {
    this.#whiteouts.add(path)
    this.#noteBelow(path)
  }

  /** Before another member takes the place of what an earlier one left at `path`. Returns true if that was a whiteout. */
  clear(path: string): boolean {
    if (path === '') throw new TarError('a member that is no directory names the root')
    if (this.#directories.has(path)) {
      this.#program.remove(path)
      this.#forgetBelow(path)
      this.#lastResolved = undefined
      return false
    }
    if (this.#symlinks.delete(path)) this.#lastResolved = undefined
    return this.#whiteouts.delete(path)
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
    const state = newState()
    state.isOpaque = this.#whiteouts.delete(path)
    this.#program.directory(path, !state.isOpaque)
    this.#directories.set(path, state)
    this.#noteBelow(path)
  }

  #noteBelow(path: string): void {
    const parent = this.#directories.get(parentOf(path))
    if (parent === undefined) return
    parent.below ??= []
    parent.below.push(path)
  }

  /** Takes as long as there is something below, however large the rest of the tree: an archive may do this at every second member. */
  #forgetBelow(path: string): void {
    const pending = [path]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const child of this.#directories.get(next)?.below ?? []) pending.push(child)
      this.#directories.delete(next)
      this.#symlinks.delete(next)
      this.#whiteouts.delete(next)
    }
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
    below: undefined,
  }
}
