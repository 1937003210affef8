import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { toPathBytes } from '@ctr/images'
import { lgetxattr } from '@ctr/linux'

/** Something in a tree. Paths are latin1 bytes without a leading slash; '' is the root. */
export interface Node {
  /** Where it really is in the tree, symlinks resolved. */
  readonly path: string
  /** On the host, for a system call. */
  readonly host: string | Buffer
  readonly stats: Stats
}

interface Found extends Node {
  /** The layers' directories that it is made of, top first; empty: it is none. */
  readonly directories: readonly string[]
}

const MAX_SYMLINKS = 40

/**
 * Directories (upper first) seen as one tree: a build context, or the layers of an image. Nobody changes them while they are looked at, and every
 * name is resolved here, below the root, one by one: no symlink is ever followed by the kernel.
 */
export class Tree {
  readonly #root: Found

  constructor(directories: readonly string[]) {
    const [top = '/var/empty'] = directories
    const latin1 = directories.map((path) => Buffer.from(path).toString('latin1'))
    const stats = directories.length === 0 ? NOTHING : lstatSync(top)
    this.#root = { path: '', host: top, stats, directories: latin1 }
  }

  /** Undefined where there is nothing. With `follow` a symlink at the end is resolved as well. */
  find(path: string, options: { readonly follow: boolean }): Node | undefined {
    const { trail, rest } = this.#walk(path, options.follow)
    return rest.length === 0 ? trail.at(-1) : undefined
  }

  /** As far as there is something: that, and the names below it that are missing. */
  reach(path: string): { readonly node: Node; readonly missing: readonly string[] } {
    const { trail, rest } = this.#walk(path, true)
    return { node: trail.at(-1) ?? this.#root, missing: rest }
  }

  /** Names in a directory, in order. */
  names(node: Node): string[] {
    const names = new Set<string>()
    const hidden = new Set<string>()
    for (const directory of (node as Found).directories) {
      for (const entry of readdirSync(toPathBytes(directory), { encoding: 'buffer' })) {
        const name = entry.toString('latin1')
        if (hidden.has(name) || names.has(name)) continue
        const stats = statsOf(`${directory}/${name}`)
        if (stats === undefined || isWhiteout(stats)) hidden.add(name)
        else names.add(name)
      }
    }
    return [...names].sort()
  }

  /** One name of a directory, itself. */
  child(node: Node, name: string): Node | undefined {
    return step(node as Found, name)
  }

  #walk(path: string, follow: boolean): { trail: Found[]; rest: string[] } {
    const pending = path.split('/').reverse()
    const trail: Found[] = [this.#root]
    let symlinks = 0
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (trail.length > 1) trail.pop()
        continue
      }
      const at = trail.at(-1) ?? this.#root
      const found = step(at, name)
      const isLast = pending.every((other) => other === '' || other === '.')
      if (found === undefined) return { trail, rest: withoutDots([name, ...pending.reverse()]) }
      if (!found.stats.isSymbolicLink() || (isLast && !follow)) {
        trail.push(found)
        continue
      }
      symlinks += 1
      if (symlinks > MAX_SYMLINKS) {
        throw new EngineError('INVALID_ARGUMENT', `${path}: too many levels of symbolic links`)
      }
      const target = readlinkSync(found.host, { encoding: 'latin1' })
      if (target.startsWith('/')) trail.length = 1
      pending.push(...target.split('/').reverse())
    }
    return { trail, rest: [] }
  }
}

/** Of what does not exist. */
const NOTHING = lstatSync('/')

function step(at: Found, name: string): Found | undefined {
  const path = at.path === '' ? name : `${at.path}/${name}`
  const directories: string[] = []
  let top: Stats | undefined
  for (const directory of at.directories) {
    const host = `${directory}/${name}`
    const stats = statsOf(host)
    if (stats === undefined) continue
    if (isWhiteout(stats)) break
    if (!stats.isDirectory()) {
      if (top !== undefined) break
      return { path, host: toPathBytes(host), stats, directories: [] }
    }
    top ??= stats
    directories.push(host)
    if (lgetxattr(toPathBytes(host), 'trusted.overlay.opaque')?.toString() === 'y') break
  }
  const [host] = directories
  if (top === undefined || host === undefined) return undefined
  return { path, host: toPathBytes(host), stats: top, directories }
}

function statsOf(host: string): Stats | undefined {
  try {
    return lstatSync(toPathBytes(host))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined
    throw error
  }
}

function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0
}

function withoutDots(names: readonly string[]): string[] {
  const kept: string[] = []
  for (const name of names) {
    if (name === '..') kept.pop()
    else if (name !== '' && name !== '.') kept.push(name)
  }
  return kept
}
