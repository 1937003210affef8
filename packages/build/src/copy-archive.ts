import { readlinkSync, type Stats } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import {
  type EntryType,
  encodeHeader,
  type NewEntry,
  paddingOf,
  TAR_END,
  toText,
} from '@ctr/images'
import { deviceNumbers, lgetxattr } from '@ctr/linux'
import { CAPABILITY_XATTR, type CopySource } from './copy-sources.ts'
import { fileBytes } from './file-bytes.ts'
import type { Owner } from './owner.ts'
import type { Node, Tree } from './tree.ts'
import { repackedArchive } from './unpacked-archive.ts'

/** Where a copy goes, in an image. Paths are latin1 without a leading slash. */
export interface Destination {
  readonly path: string
  readonly isDirectory: boolean
  /** Something else is there. */
  readonly isFile: boolean
  /** The directories on the way that the image does not have, the destination itself included if it is to be one. */
  readonly missing: readonly string[]
}

export interface CopyOptions {
  /** Undefined: everything keeps its own. */
  readonly owner: Owner | undefined
  readonly mode: number | undefined
  /** Local archives become what is in them. */
  readonly unpacks: boolean
  readonly signal: AbortSignal
}

/**
 * Where the image has the destination of a copy, symlinks of the image resolved within it. `isDirectory`: it is meant to be one, as its slash or
 * the number of sources says.
 */
export function findDestination(
  image: Tree,
  path: string,
  wants: { readonly isDirectory: boolean },
): Destination {
  const { node, missing } = image.reach(path)
  const whole = [...(node.path === '' ? [] : [node.path]), ...missing].join('/')
  const isThere = missing.length === 0
  if (!node.stats.isDirectory() && (!isThere || wants.isDirectory)) {
    throw notDirectory(whole)
  }
  const isDirectory = wants.isDirectory || (isThere && node.stats.isDirectory())
  const names = isDirectory ? missing : missing.slice(0, -1)
  const made = names.map((_, index) => join(node.path, names.slice(0, index + 1).join('/')))
  return { path: whole, isDirectory, isFile: isThere && !isDirectory, missing: made }
}

function notDirectory(path: string, what = ''): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${what}lstat /${toText(path)}: not a directory`)
}

/** The layer that a COPY or ADD makes, as an archive. */
export async function* copyArchive(
  sources: readonly CopySource[],
  destination: Destination,
  options: CopyOptions,
): AsyncGenerator<Buffer> {
  let isFirst = true
  for (const source of sources) {
    options.signal.throwIfAborted()
    const { tree, node } = source
    const repacked =
      options.unpacks && node.stats.isFile()
        ? await repackedArchive(node.host, destination.path)
        : undefined
    // What is unpacked is nobody's but who the archive says.
    const owner = repacked === undefined ? (options.owner ?? ROOT) : ROOT
    const missing = isFirst ? destination.missing : []
    for (const path of missing) yield encodeHeader(newDirectory(path, owner))
    isFirst = false
    if (repacked !== undefined) {
      if (destination.isFile) throw notDirectory(destination.path, 'failed to copy files: ')
      if (!destination.isDirectory) yield encodeHeader(newDirectory(destination.path, ROOT))
      yield* repacked
    } else if (node.stats.isDirectory()) {
      yield* copyTree(tree, node, destination.path, options)
    } else {
      const path = destination.isDirectory ? join(destination.path, source.name) : destination.path
      yield* copyFile(node, path, options)
    }
  }
  yield TAR_END
}

const ROOT: Owner = { uid: 0, gid: 0 }

export function newDirectory(path: string, owner: Owner): NewEntry {
  const mtimeSeconds = Math.floor(Date.now() / 1000)
  return { path, type: 'directory', mode: 0o755, ...owner, mtimeSeconds }
}

/** What is in a directory, not itself. */
async function* copyTree(
  tree: Tree,
  top: Node,
  destination: string,
  options: CopyOptions,
): AsyncGenerator<Buffer> {
  const links = new Map<string, string>()
  const pending = [{ node: top, path: destination }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    options.signal.throwIfAborted()
    const below: typeof pending = []
    for (const name of tree.names(next.node)) {
      const node = tree.child(next.node, name)
      if (node === undefined) continue
      const path = join(next.path, name)
      if (node.stats.isDirectory()) {
        yield encodeHeader(entryOf(path, 'directory', node.stats, options))
        below.push({ node, path })
        continue
      }
      const key = `${node.stats.dev}:${node.stats.ino}`
      const first = node.stats.nlink > 1 ? links.get(key) : undefined
      if (first === undefined) {
        if (node.stats.nlink > 1) links.set(key, path)
        yield* copyFile(node, path, options)
      } else {
        const entry = entryOf(path, 'hardlink', node.stats, options)
        yield encodeHeader({ ...entry, linkTarget: first })
      }
    }
    pending.push(...below.reverse())
  }
}

async function* copyFile(node: Node, path: string, options: CopyOptions): AsyncGenerator<Buffer> {
  const { host, stats } = node
  if (stats.isFile()) {
    // As chown(2), by which dockerd does it: a new owner is not given what the old one's program could do.
    const capability = options.owner === undefined ? lgetxattr(host, CAPABILITY_XATTR) : undefined
    const entry = { ...entryOf(path, 'file', stats, options), size: stats.size }
    const xattrs = new Map(capability === undefined ? [] : [[CAPABILITY_XATTR, capability]])
    yield encodeHeader({ ...entry, xattrs })
    yield* fileBytes(host, stats.size, options.signal)
    yield Buffer.alloc(paddingOf(stats.size))
    return
  }
  if (stats.isSocket()) return
  if (stats.isSymbolicLink()) {
    const linkTarget = readlinkSync(host, { encoding: 'latin1' })
    yield encodeHeader({ ...entryOf(path, 'symlink', stats, options), linkTarget })
    return
  }
  const type = stats.isFIFO() ? 'fifo' : stats.isBlockDevice() ? 'block' : 'character'
  const numbers = type === 'fifo' ? {} : deviceNumbers(BigInt(stats.rdev))
  yield encodeHeader({ ...entryOf(path, type, stats, options), ...numbers })
}

function entryOf(path: string, type: EntryType, stats: Stats, options: CopyOptions): NewEntry {
  const { uid, gid } = options.owner ?? stats
  const ms = Math.floor(stats.mtimeMs)
  const mtimeSeconds = Math.floor(ms / 1000)
  const isLink = type === 'symlink'
  const isGiven = options.owner !== undefined && type === 'file'
  const own = isGiven ? withoutSetId(stats.mode) : stats.mode & 0o7777
  const mode = (isLink ? undefined : options.mode) ?? own
  const mtimeNanoseconds = (ms - mtimeSeconds * 1000) * 1e6
  return { path, type, mode, uid, gid, mtimeSeconds, mtimeNanoseconds }
}

/** chown(2): set-group-id of a file that its group cannot run means something else. */
function withoutSetId(mode: number): number {
  return mode & ((mode & 0o010) === 0 ? 0o3777 : 0o1777)
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}
