import { lstatSync, readlinkSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { PathStat } from '@ctr/api'
import { type Client, getArchive, putArchive, ResponseError, statArchive } from '@ctr/client'
import { isErrno } from '@ctr/errdefs'
import { packPath, unpackInto } from '../archive/tar.ts'
import { type Command, ExitError } from '../command.ts'
import { formatSize } from '../format/size.ts'
import { isTerminal } from '../node-modules.ts'
import { checkCopyTarget } from '../output/file.ts'
import { Transfer } from '../output/transfer.ts'
import { printError, writeOut } from '../output/write.ts'
import { readStdin } from '../terminal/stdin.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  summary:
    "Copy files/folders between a container and the local filesystem\n\nUse '-' as the source to read a tar archive from stdin\nand extract it to a directory destination in a container.\nUse '-' as the destination to stream a tar archive of a\ncontainer source to stdout.",
  aliases: ['ctr container cp', 'ctr cp'],
  flags: [
    {
      name: 'archive',
      short: 'a',
      kind: 'bool',
      help: 'Archive mode (copy all uid/gid information)',
    },
    {
      name: 'follow-link',
      short: 'L',
      kind: 'bool',
      help: 'Always follow symbol link in SRC_PATH',
    },
    {
      name: 'quiet',
      short: 'q',
      kind: 'bool',
      help: 'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached',
    },
  ],
  args: { min: 2, max: 2 },
  examples: [
    { text: 'Out of a container', command: 'ctr cp web:/etc/hosts .' },
    { text: 'Into it, with owners', command: 'ctr cp -a ./site web:/var/www' },
    { text: 'As an archive', command: 'ctr cp web:/var/log - | tar t' },
  ],
  async run({ client }, { flags, args }) {
    const [source = '', target = ''] = args
    if (source === '') throw new ExitError(1, 'source can not be empty')
    if (target === '') throw new ExitError(1, 'destination can not be empty')
    const from = splitPlace(source)
    const to = splitPlace(target)
    if (from.container !== undefined && to.container !== undefined) {
      throw new ExitError(1, 'copying between containers is not supported')
    }
    const options: CopyOptions = {
      followLink: flags.bool('follow-link'),
      archive: flags.bool('archive'),
      isQuiet: flags.bool('quiet') || !isTerminal(2),
    }
    if (from.container !== undefined)
      return copyOut(client, from.container, from.path, to.path, options)
    if (to.container !== undefined) return copyIn(client, from.path, to.container, to.path, options)
    throw new ExitError(1, 'must specify at least one container source')
  },
}

interface CopyOptions {
  readonly followLink: boolean
  readonly archive: boolean
  readonly isQuiet: boolean
}

/** `container:path`; a path that begins with `/` or `.` is local, whatever it holds. */
function splitPlace(text: string): { container: string | undefined; path: string } {
  if (text.startsWith('/') || text.startsWith('.')) return { container: undefined, path: text }
  const colon = text.indexOf(':')
  if (colon <= 0) return { container: undefined, path: text }
  return { container: text.slice(0, colon), path: text.slice(colon + 1) }
}

/** Go's os.FileMode bits in PathStat.mode. */
const MODE_DIRECTORY = 2 ** 31
const MODE_SYMLINK = 2 ** 27

/** As docker follows. */
const MAX_LINKS = 10

function hasMode(stat: PathStat, bit: number): boolean {
  return Math.floor(stat.mode / bit) % 2 === 1
}

/** `dir/.`: the content of dir, not dir itself. */
function wantsContent(path: string): boolean {
  return path === '.' || path.endsWith('/.')
}

async function copyOut(
  client: Client,
  container: string,
  path: string,
  target: string,
  options: CopyOptions,
): Promise<void> {
  if (target !== '-') checkCopyTarget(resolve(target))
  const source = options.followLink ? await followContainerLink(client, container, path) : path
  const { stat, tar } = await getArchive(client, container, source)
  if (target === '-') {
    for await (const chunk of tar) writeOut(chunk)
    return
  }
  const isDirectory = hasMode(stat, MODE_DIRECTORY)
  const place = localPlace(target, stat.name, { isDirectory, wantsContent: wantsContent(path) })
  using transfer = new Transfer('Copying', options)
  const bytes = await unpackInto(transfer.count(tar), {
    directory: place.directory,
    from: stat.name,
    to: place.name,
    keepOwner: options.archive,
  })
  transfer.end()
  if (!options.isQuiet) printError(`Successfully copied ${formatSize(bytes)} to ${resolve(target)}`)
}

async function followContainerLink(
  client: Client,
  container: string,
  path: string,
): Promise<string> {
  const stat = await placeStat(client, container, path)
  if (stat === undefined || !hasMode(stat, MODE_SYMLINK)) return path
  return stat.linkTarget.startsWith('/') ? stat.linkTarget : join(dirname(path), stat.linkTarget)
}

/** Docker's table of cp(1) rules: into an existing directory, else under the new name (docker cp --help). */
function localPlace(
  target: string,
  name: string,
  source: { readonly isDirectory: boolean; readonly wantsContent: boolean },
): { directory: string; name: string } {
  const stat = statSync(target, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) {
    if (source.isDirectory && source.wantsContent) return { directory: resolve(target), name: '.' }
    return { directory: resolve(target), name: name === '/' ? '.' : name }
  }
  if (stat !== undefined && source.isDirectory) throw new ExitError(1, 'cannot copy directory')
  if (stat === undefined && !source.isDirectory && target.endsWith('/')) {
    throw new ExitError(1, 'no such directory')
  }
  const path = behindLinks(resolve(target))
  return { directory: dirname(path), name: basename(path) }
}

/** Where a local link leads: that is written, not the link. */
function behindLinks(path: string): string {
  let place = path
  for (let links = 0; lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink(); links++) {
    if (links > MAX_LINKS) throw new ExitError(1, `too many symlinks in ${path}`)
    place = resolve(dirname(place), readlinkSync(place))
  }
  const directory = dirname(place)
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    throw new ExitError(1, `stat ${directory}: no such file or directory`)
  }
  return place
}

async function copyIn(
  client: Client,
  source: string,
  container: string,
  path: string,
  options: CopyOptions,
): Promise<void> {
  const target = await containerPlace(client, container, path)
  const put = { noOverwriteDirNonDir: true, copyUidGid: options.archive }
  if (source === '-') {
    if (target.kind !== 'directory') {
      throw new ExitError(1, `destination "${container}:${path}" must be a directory`)
    }
    return putArchive(client, container, target.path, readStdin(), put)
  }
  // `link/` is what the link leads to.
  const followLink = options.followLink || source.endsWith('/') || wantsContent(source)
  const stat = localStat(source, followLink)
  if (stat === undefined)
    throw new ExitError(1, `lstat ${resolve(source)}: no such file or directory`)
  const place = targetPlace(target, path, source, stat.isDirectory())
  const counter = { bytes: 0 }
  using transfer = new Transfer('Copying', options)
  const tar = packPath(resolve(source), {
    name: place.name,
    followLink,
    counter,
  })
  await putArchive(client, container, place.directory, transfer.count(tar), put)
  transfer.end()
  if (!options.isQuiet)
    printError(`Successfully copied ${formatSize(counter.bytes)} to ${container}:${path}`)
}

function localStat(path: string, followLink: boolean): Stats | undefined {
  try {
    return (followLink ? statSync : lstatSync)(path, { throwIfNoEntry: false })
  } catch (error) {
    if (isErrno(error, 'ENOTDIR')) throw new ExitError(1, 'not a directory')
    throw error
  }
}

type ContainerPlace =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'missing'; readonly path: string }

/** What is at the destination, after one link as docker resolves it; a link to nothing is where the file goes. */
async function containerPlace(
  client: Client,
  container: string,
  path: string,
): Promise<ContainerPlace> {
  const stat = await placeStat(client, container, path)
  if (stat === undefined) return { kind: 'missing', path }
  if (!hasMode(stat, MODE_SYMLINK)) return { kind: kindOf(stat), path }
  const link = stat.linkTarget.startsWith('/')
    ? stat.linkTarget
    : join(dirname(path), stat.linkTarget)
  const target = await placeStat(client, container, link)
  return { kind: target === undefined ? 'missing' : kindOf(target), path: link }
}

function kindOf(stat: PathStat): 'directory' | 'file' {
  return hasMode(stat, MODE_DIRECTORY) ? 'directory' : 'file'
}

/** Undefined: whatever is wrong with it, the daemon says when it is written to. */
async function placeStat(
  client: Client,
  container: string,
  path: string,
): Promise<PathStat | undefined> {
  try {
    return await statArchive(client, container, path)
  } catch (error) {
    if (!(error instanceof ResponseError) || /no such container/i.test(error.message)) throw error
    return undefined
  }
}

function targetPlace(
  target: ContainerPlace,
  path: string,
  source: string,
  isDirectory: boolean,
): { directory: string; name: string } {
  if (target.kind === 'directory') {
    const name = isDirectory && wantsContent(source) ? '.' : basename(resolve(source)) || '.'
    return { directory: target.path, name }
  }
  if (target.kind === 'file' && isDirectory) throw new ExitError(1, 'cannot copy directory')
  if (target.kind === 'missing' && !isDirectory && (path === '' || path.endsWith('/'))) {
    throw new ExitError(1, 'no such directory')
  }
  const absolute = join('/', target.path)
  return { directory: dirname(absolute), name: basename(absolute) }
}
