import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import type { PathStat } from '@ctr/api'
import { EngineError, isErrno } from '@ctr/errdefs'
import { toPathBytes, toText } from '@ctr/images'
import { O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '@ctr/linux'
import { formatTime } from '../container/log-records.ts'

/** A path in a container as a client wrote it. moby container/archive.go ResolvePath */
export interface ContainerPath {
  /** Absolute and clean, with a trailing `/` or `/.` kept. */
  readonly absolute: string
  /** How it is called in archives: its last element; `.` for `dir/.`, `/` for the root. */
  readonly name: string
  /** A trailing `/` or `/.`: a symlink is followed and must lead to a directory. */
  readonly isDirectory: boolean
}

export function parseContainerPath(text: string): ContainerPath {
  if (text.includes('\0')) throw new EngineError('INVALID_ARGUMENT', 'path holds a NUL')
  const clean = posix.normalize(`/${text}`).replace(/(?!^)\/$/, '')
  const hasDot = text === '.' || text.endsWith('/.')
  const hasSlash = text.endsWith('/')
  const isRoot = clean === '/'
  const prefix = isRoot ? '/' : `${clean}/`
  const absolute = hasDot ? `${prefix}.` : hasSlash ? prefix : clean
  const name = hasDot ? '.' : isRoot ? '/' : posix.basename(clean)
  return { absolute, name, isDirectory: hasDot || hasSlash || isRoot }
}

/** Something in a container, opened: `fd` is an O_PATH descriptor that cannot be exchanged any more. */
export interface OpenedPath extends Disposable {
  readonly path: ContainerPath
  readonly fd: number
  /** With O_PATH; undefined for a directory that was asked for as one (`dir/`, `/`). */
  readonly parent: { readonly fd: number; readonly name: string } | undefined
  readonly stats: BigIntStats
  readonly stat: PathStat
}

/** ENOENT and ENOTDIR as the kernel gives them. */
export function openPath(rootPath: string, text: string): OpenedPath {
  const path = parseContainerPath(text)
  using stack = new DisposableStack()
  const keep = (fd: number): number => {
    stack.defer(() => closeSync(fd))
    return fd
  }
  const root = keep(openSync(rootPath, O_PATH | constants.O_DIRECTORY))
  if (path.isDirectory) {
    const fd = keep(openInside(root, path.absolute, O_PATH | constants.O_DIRECTORY))
    return finish(path, fd, undefined, '', stack.move())
  }
  const directory = keep(
    openInside(root, posix.dirname(path.absolute), O_PATH | constants.O_DIRECTORY),
  )
  const parent = { fd: directory, name: path.name }
  const fd = keep(
    openSync(`/proc/self/fd/${directory}/${path.name}`, O_PATH | constants.O_NOFOLLOW),
  )
  const isLink = fstatSync(fd).isSymbolicLink()
  const linkTarget = isLink ? evaluateLinks(root, path.absolute) : ''
  return finish(path, fd, parent, linkTarget, stack.move())
}

function finish(
  path: ContainerPath,
  fd: number,
  parent: OpenedPath['parent'],
  linkTarget: string,
  stack: DisposableStack,
): OpenedPath {
  const stats = fstatSync(fd, { bigint: true })
  const stat: PathStat = {
    name: path.name,
    size: Number(stats.size),
    mode: goFileMode(Number(stats.mode)),
    mtime: formatGoTime(stats.mtimeNs),
    linkTarget,
  }
  return { path, fd, parent, stats, stat, [Symbol.dispose]: () => stack.dispose() }
}

const MAX_LINKS = 255

/**
 * The path that `path` leads to, all symlinks resolved inside the root; what is missing stays as it is written. Text for
 * clients: it may be out of date at once and is never opened. moby pkg/symlink FollowSymlinkInScope
 */
function evaluateLinks(root: number, path: string): string {
  const pending = path.split('/').reverse()
  let current = ''
  let links = 0
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      current = current.slice(0, Math.max(0, current.lastIndexOf('/')))
      continue
    }
    const target = readLinkInRoot(root, current, name)
    if (target === undefined) {
      current = `${current}/${name}`
      continue
    }
    links += 1
    if (links > MAX_LINKS) throw new EngineError('INVALID_ARGUMENT', `${path}: too many links`)
    if (target.startsWith('/')) current = ''
    pending.push(...target.split('/').reverse())
  }
  return current === '' ? '/' : current
}

/** Undefined when it is no symlink, or nothing. */
function readLinkInRoot(root: number, directory: string, name: string): string | undefined {
  let fd: number | undefined
  try {
    fd = openInside(root, directory === '' ? '/' : directory, O_PATH | constants.O_DIRECTORY)
    return toText(readlinkSync(`/proc/self/fd/${fd}/${name}`, { encoding: 'latin1' }))
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) return undefined
    throw error
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Type and special bits as Go's io/fs.FileMode has them, and permissions. */
const GO_MODE = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  pipe: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  character: 2 ** 21,
  sticky: 2 ** 20,
} as const

function goFileMode(mode: number): number {
  const special =
    (mode & 0o4000 ? GO_MODE.setuid : 0) +
    (mode & 0o2000 ? GO_MODE.setgid : 0) +
    (mode & 0o1000 ? GO_MODE.sticky : 0)
  return goFileType(mode) + special + (mode & 0o777)
}

function goFileType(mode: number): number {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFDIR:
      return GO_MODE.directory
    case constants.S_IFLNK:
      return GO_MODE.symlink
    case constants.S_IFBLK:
      return GO_MODE.device
    case constants.S_IFCHR:
      return GO_MODE.device + GO_MODE.character
    case constants.S_IFIFO:
      return GO_MODE.pipe
    case constants.S_IFSOCK:
      return GO_MODE.socket
    default:
      return 0
  }
}

/** Go's time.RFC3339Nano in UTC: no fraction, or one without trailing zeros. */
function formatGoTime(timeNs: bigint): string {
  const fraction = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = formatTime(timeNs - fraction).slice(0, 19)
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '')
  return `${seconds}${digits === '' ? '' : `.${digits}`}Z`
}

/** An O_PATH descriptor: opens nothing, so it never waits. Symlinks lead inside the root only, magic links nowhere. */
export function openInside(root: number, path: string, flags = O_PATH): number {
  return openat2(root, path, { flags, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS })
}

/** `name` below an open directory, as an argument of a system call that does not follow it. `name` is latin1 bytes. */
export function below(fd: number, name: string): string | Buffer {
  return toPathBytes(`/proc/self/fd/${fd}/${name}`)
}
