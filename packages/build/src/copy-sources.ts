import { createHash } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { EngineError, invalid } from '@ctr/errdefs'
import { fromText, toText } from '@ctr/images'
import { lgetxattr } from '@ctr/linux'
import { compilePathPattern, isPathPattern } from '@ctr/options'
import { fileBytes } from './file-bytes.ts'
import type { Node, Tree } from './tree.ts'

/** What a COPY or ADD takes from a tree. */
export interface CopySource {
  readonly tree: Tree
  readonly node: Node
  /** Last element of the path as written, latin1: what a file is called at its destination. */
  readonly name: string
  /** `file:…` or `dir:…`. */
  readonly hash: string
}

/** Owners belong to the content only where they are kept. */
export interface HashOptions {
  readonly hasOwners: boolean
  /** As the error names where nothing was found; '': as dockerd does of stages and images. */
  readonly where?: string
  readonly signal: AbortSignal
}

/** What a path of the instruction means: itself, or all that its pattern matches. */
export async function findSources(
  tree: Tree,
  path: string,
  options: HashOptions,
): Promise<CopySource[]> {
  const cleaned = posix.normalize(path).replace(/^\/+/, '')
  if (cleaned === '..' || cleaned.startsWith('../')) {
    throw invalid(`forbidden path outside the build context: ${path} ()`)
  }
  const wanted = cleaned === '' ? '.' : cleaned.replace(/(.)\/$/, '$1')
  const paths = isPathPattern(wanted)
    ? await matching(tree, wanted, options.signal)
    : [fromText(wanted)]
  const sources: CopySource[] = []
  for (const found of paths) {
    const node = tree.find(found, { follow: true })
    if (node === undefined) {
      throw new EngineError(
        'NOT_FOUND',
        `${options.where ?? ''}stat ${toText(found)}: file does not exist`,
      )
    }
    const name = found.slice(found.lastIndexOf('/') + 1)
    sources.push({ tree, node, name, hash: await hashOf(tree, node, options) })
  }
  return sources
}

async function matching(tree: Tree, pattern: string, signal: AbortSignal): Promise<string[]> {
  // A question mark is a character, however many bytes it has.
  const matches = compiled(pattern)
  const found: string[] = []
  const pending: Node[] = []
  const root = tree.find('', { follow: true })
  if (root !== undefined) pending.push(root)
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    // A large tree is not all that there is to do.
    await nextTurn()
    signal.throwIfAborted()
    for (const name of tree.names(node)) {
      const child = tree.child(node, name)
      if (child === undefined) continue
      if (matches(toText(child.path))) found.push(child.path)
      if (child.stats.isDirectory()) pending.push(child)
    }
  }
  return found.sort()
}

function compiled(pattern: string): (path: string) => boolean {
  try {
    return compilePathPattern(pattern, { isDeep: false })
  } catch {
    throw invalid('syntax error in pattern')
  }
}

/** One for all sources of an instruction, as dockerd writes it into the history. */
export function combinedHash(sources: readonly { readonly hash: string }[]): string {
  const [only] = sources
  if (only !== undefined && sources.length === 1) return only.hash
  return `multi:${digestOfList(sources.map(({ hash }) => hash))}`
}

async function hashOf(tree: Tree, node: Node, options: HashOptions): Promise<string> {
  if (!node.stats.isDirectory()) return `file:${await hashNode(node, options)}`
  const hashes: string[] = []
  const pending: Node[] = [node]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    options.signal.throwIfAborted()
    hashes.push(await hashNode(next, options))
    // Small files are read at once, and there may be many.
    if (hashes.length % FILES_AT_ONCE === 0) await nextTurn()
    if (!next.stats.isDirectory()) continue
    for (const name of tree.names(next)) {
      const child = tree.child(next, name)
      if (child !== undefined) pending.push(child)
    }
  }
  return `dir:${digestOfList(hashes.sort())}`
}

const FILES_AT_ONCE = 128

function digestOfList(hashes: readonly string[]): string {
  return createHash('sha256').update(hashes.join(',')).digest('hex')
}

/** Name, kind, mode and content; not when it was changed. */
async function hashNode({ path, host, stats }: Node, options: HashOptions): Promise<string> {
  const hash = createHash('sha256')
  const owner = options.hasOwners ? [stats.uid, stats.gid] : []
  const isFile = stats.isFile()
  const facts = [path, stats.mode, ...owner, isFile ? stats.size : 0, stats.rdev]
  hash.update(facts.join('\0'), 'latin1')
  if (stats.isSymbolicLink())
    hash.update(`\0${readlinkSync(host, { encoding: 'latin1' })}`, 'latin1')
  else if (isFile) {
    const capability = lgetxattr(host, CAPABILITY_XATTR)
    hash.update(`\0${capability?.toString('hex') ?? ''}\0`)
    for await (const chunk of fileBytes(host, stats.size, options.signal)) hash.update(chunk)
  }
  return hash.digest('hex')
}

/** The one attribute that dockerd copies. */
export const CAPABILITY_XATTR = 'security.capability'
