import { type BigIntStats, closeSync, constants, fstatSync, opendirSync, openSync } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { toText } from '@ctr/images'
import { lgetxattr, O_PATH } from '@ctr/linux'
import { below } from './path.ts'
import type { Control } from './worker/protocol.ts'

/** Docker's `Kind` of a change of the filesystem. */
type ChangeKind = 'modified' | 'added' | 'deleted'

export interface Change {
  readonly path: string
  readonly kind: ChangeKind
}

export interface ChangesJob {
  readonly upperDir: string
  /** Absolute, top first. */
  readonly lowerDirs: readonly string[]
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const NODE = O_PATH | constants.O_NOFOLLOW
const OPAQUE = 'trusted.overlay.opaque'
const CAPABILITY = 'security.capability'
const MAX_DEPTH = 1024
/** The answer is one JSON document in memory. */
const MAX_CHANGES = 2_000_000

/** What Docker puts below a container's own layer, and what a start of ours makes in it instead: mount points. */
const ENGINE_DIRECTORIES = new Set(['/dev', '/dev/pts', '/dev/shm', '/etc', '/proc', '/sys'])
const ENGINE_FILES = new Set(['/dev/console', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf'])

/**
 * What differs between a container's layer and its image, as a comparison of both merged trees gives it (moby
 * pkg/archive ChangesDirs), but read from the upper directory of the overlay only. In order of the paths. The container may run: what it changes
 * meanwhile is in the answer or not.
 */
export function layerChanges(job: ChangesJob, control: Control): Change[] {
  using opened = new OpenDirectories()
  const upper = opened.add(openSync(job.upperDir, DIRECTORY))
  const lower = job.lowerDirs.map((path) => opened.add(openSync(path, DIRECTORY)))
  const changes: Change[] = []
  compareDirectory({ changes, beat: () => control.beat() }, upper, lower, '', 0)
  return changes
}

interface Output {
  readonly changes: Change[]
  readonly beat: () => void
}

/** `lower`: directories at the same path in the layers below, top first; none: everything is new. */
function compareDirectory(
  output: Output,
  upper: number,
  lower: readonly number[],
  path: string,
  depth: number,
): void {
  if (depth > MAX_DEPTH) throw new EngineError('INVALID_ARGUMENT', 'directories are too deep')
  const own = names(upper)
  const hides = isOpaque(upper)
  const gone = hides ? lowerNames(lower).filter((name) => !own.has(name)) : []
  for (const name of [...own, ...gone].sort()) {
    output.beat()
    using opened = new OpenDirectories()
    const childPath = `${path}/${name}`
    if (own.has(name)) compareChild(output, opened, upper, lower, name, childPath, depth)
    else push(output, childPath, 'deleted')
  }
}

function compareChild(
  output: Output,
  opened: OpenDirectories,
  upper: number,
  lower: readonly number[],
  name: string,
  path: string,
  depth: number,
): void {
  const node = opened.open(upper, name)
  if (node === undefined) return
  const stats = fstatSync(node, { bigint: true })
  const before = lookBelow(opened, lower, name)
  if (isWhiteout(stats)) {
    if (before !== undefined) push(output, path, 'deleted')
    return
  }
  const isDirectory = stats.isDirectory()
  if (before === undefined && isMadeByEngine(path, stats)) {
    if (isDirectory) compareBelow(output, upper, name, [], path, depth)
    return
  }
  // A directory stands before what is in it, also if only that has changed.
  const position = output.changes.length
  if (isDirectory) compareBelow(output, upper, name, before?.directories ?? [], path, depth)
  const hasChangesInside = output.changes.length > position
  if (before === undefined) insert(output, position, path, 'added')
  else if (
    hasChangesInside ||
    isDifferent(before.stats, stats) ||
    capabilityOf(upper, name) !== before.capability()
  ) {
    insert(output, position, path, 'modified')
  }
}

function compareBelow(
  output: Output,
  upper: number,
  name: string,
  lower: readonly number[],
  path: string,
  depth: number,
): void {
  let fd: number
  try {
    fd = openSync(below(upper, name), DIRECTORY)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return
    throw error
  }
  try {
    compareDirectory(output, fd, lower, path, depth + 1)
  } finally {
    closeSync(fd)
  }
}

/** `path` is latin1 bytes. */
function push({ changes }: Output, path: string, kind: ChangeKind): void {
  if (changes.length >= MAX_CHANGES) {
    throw new EngineError('INVALID_ARGUMENT', `the container has more than ${MAX_CHANGES} changes`)
  }
  changes.push({ path: toText(path), kind })
}

function insert(output: Output, position: number, path: string, kind: ChangeKind): void {
  if (position === output.changes.length) {
    push(output, path, kind)
    return
  }
  output.changes.splice(position, 0, { path: toText(path), kind })
}

interface Before {
  readonly stats: BigIntStats
  /** With what is in it; empty if it is no directory. */
  readonly directories: readonly number[]
  readonly capability: () => string
}

/** One name in the merged lower layers. */
function lookBelow(
  opened: OpenDirectories,
  lower: readonly number[],
  name: string,
): Before | undefined {
  const directories: number[] = []
  let first: { stats: BigIntStats; directory: number } | undefined
  for (const directory of lower) {
    const node = opened.open(directory, name)
    if (node === undefined) continue
    const stats = fstatSync(node, { bigint: true })
    if (isWhiteout(stats)) break
    if (first !== undefined && !stats.isDirectory()) break
    first ??= { stats, directory }
    if (!stats.isDirectory()) break
    const fd = opened.add(openSync(below(directory, name), DIRECTORY))
    directories.push(fd)
    if (isOpaque(fd)) break
  }
  if (first === undefined) return undefined
  const { stats, directory } = first
  return { stats, directories, capability: () => capabilityOf(directory, name) }
}

/** Names in the merged directory. */
function lowerNames(lower: readonly number[]): string[] {
  const seen = new Set<string>()
  const hidden = new Set<string>()
  for (const directory of lower) {
    for (const name of names(directory)) {
      if (seen.has(name) || hidden.has(name)) continue
      using opened = new OpenDirectories()
      const node = opened.open(directory, name)
      if (node === undefined) continue
      if (isWhiteout(fstatSync(node, { bigint: true }))) hidden.add(name)
      else seen.add(name)
    }
    if (isOpaque(directory)) break
  }
  return [...seen]
}

function names(fd: number): Set<string> {
  // The bytes of a name are its latin1 characters; @types/node knows text encodings only.
  const directory = opendirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' as BufferEncoding })
  try {
    const found = new Set<string>()
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      found.add(entry.name)
    }
    return found
  } finally {
    directory.closeSync()
  }
}

function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n
}

function isOpaque(fd: number): boolean {
  return lgetxattr(`/proc/self/fd/${fd}/.`, OPAQUE)?.toString('latin1') === 'y'
}

function capabilityOf(directory: number, name: string): string {
  try {
    return lgetxattr(below(directory, name), CAPABILITY)?.toString('latin1') ?? ''
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}

/** Size and time of a directory change with its entries and say nothing of itself. moby archive changes_linux.go */
function isDifferent(a: BigIntStats, b: BigIntStats): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.rdev !== b.rdev) return true
  if (a.isDirectory()) return false
  return a.size !== b.size || a.mtimeNs !== b.mtimeNs
}

function isMadeByEngine(path: string, stats: BigIntStats): boolean {
  if (stats.isDirectory()) return ENGINE_DIRECTORIES.has(path)
  return stats.isFile() && stats.size === 0n && ENGINE_FILES.has(path)
}

class OpenDirectories implements Disposable {
  readonly #fds: number[] = []

  add(fd: number): number {
    this.#fds.push(fd)
    return fd
  }

  /** An O_PATH descriptor of a name, undefined if there is none. */
  open(directory: number, name: string): number | undefined {
    try {
      return this.add(openSync(below(directory, name), NODE))
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined
      throw error
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd)
    this.#fds.length = 0
  }
}
