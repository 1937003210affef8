import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EngineError, isEngineError, isErrno } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { type ResolvedUser, resolveUser } from './user.ts'

/** Larger account files are not read: they would be in memory as a whole. Who is named by numbers needs none. */
const MAX_BYTES = 4 * 1024 * 1024

/** Undefined: larger than that. */
interface Accounts {
  readonly passwd: string | undefined
  readonly group: string | undefined
  /** Who was asked for, by user and added groups. */
  readonly users: Map<string, ResolvedUser>
}

/** Account files of images that the container's own layer does not touch, by image id: images never change. */
const imageAccounts = new Map<string, Accounts>()
const CACHED_IMAGES = 64

/** What was read of a container, and how its own layer looked then. */
interface Reading {
  readonly stamp: string
  readonly accounts: Accounts
}

const containerAccounts = new Map<string, Reading>()
const CACHED_CONTAINERS = 256

/**
 * Who the container's process (or an exec of it) runs as, by the container's own files as they are now. INVALID_ARGUMENT
 * if there is a name in it that they do not have, or if they are too large to find it.
 */
export function resolveContainerUser(
  engine: Pick<Engine, 'images' | 'config'>,
  container: ContainerRecord,
  user: string,
): ResolvedUser {
  const { passwd, group, users } = readAccounts(engine, container)
  const added = container.hostConfig.GroupAdd ?? []
  const key = [user, ...added].join('\0')
  const known = users.get(key)
  if (known !== undefined) return known
  const [userName = '', groupName = ''] = user.split(':')
  if (passwd === undefined) assertNumbers('/etc/passwd', [userName])
  if (group === undefined) assertNumbers('/etc/group', [groupName, ...added])
  const resolved = resolveUser(user, added, passwd ?? '', group ?? '')
  if (users.size < CACHED_USERS) users.set(key, resolved)
  return resolved
}

const CACHED_USERS = 16

function assertNumbers(path: string, names: readonly string[]): void {
  const name = names.find((one) => !/^\d*$/.test(one))
  if (name === undefined) return
  const why = `${path} is larger than ${MAX_BYTES} bytes`
  throw new EngineError('INVALID_ARGUMENT', `unable to find ${name}: ${why}`)
}

function readAccounts(
  engine: Pick<Engine, 'images' | 'config'>,
  container: ContainerRecord,
): Accounts {
  const { id, imageId, upperDir } = container
  // Of a directory of the host nothing is known; for `explain` there is no container layer at all.
  const stamp = imageId === '' ? undefined : accountsStamp(upperDir)
  if (stamp === UNTOUCHED) {
    const known = imageAccounts.get(imageId)
    if (known !== undefined) return known
  } else if (stamp !== undefined) {
    const reading = containerAccounts.get(id)
    if (reading?.stamp === stamp) return reading.accounts
  }
  const lower = container.layers.map((layer) => resolve(engine.config.dataRoot, layer))
  const layers = isEmptyOrMissing(upperDir) ? lower : [upperDir, ...lower]
  const accounts = {
    passwd: readText(engine, layers, '/etc/passwd'),
    group: readText(engine, layers, '/etc/group'),
    users: new Map<string, ResolvedUser>(),
  }
  if (stamp === undefined || lower.some(hasSymlinks)) return accounts
  if (stamp === UNTOUCHED) keep(imageAccounts, CACHED_IMAGES, imageId, accounts)
  else keep(containerAccounts, CACHED_CONTAINERS, id, { stamp, accounts })
  return accounts
}

/** The oldest goes. */
function keep<T>(cache: Map<string, T>, most: number, key: string, value: T): void {
  cache.delete(key)
  if (cache.size >= most) cache.delete(cache.keys().next().value ?? '')
  cache.set(key, value)
}

/** Without `/etc` in the container's layer the files are the image's. */
const UNTOUCHED = 'untouched'
const ACCOUNT_FILES = ['passwd', 'group']
/** A container may change its layer meanwhile: nothing is followed. O_PATH is not in node:fs. */
const ETC_FLAGS = 0o10000000 | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** File systems note a change with a coarse clock: what is younger may change again without a trace. */
const SETTLED_NS = 1_000_000_000n

/**
 * What changes whenever a container's own layer changes its account files: each inode on the way, with the times that the
 * kernel keeps. Undefined: cannot be told by them (a symlink, no directory, or just changed).
 */
function accountsStamp(upperDir: string): string | undefined {
  // Nearly always; an exception takes ten times as long.
  const etc = `${upperDir}/etc`
  if (lstatSync(etc, { throwIfNoEntry: false }) === undefined) return UNTOUCHED
  let directory: number
  try {
    directory = openSync(etc, ETC_FLAGS)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return UNTOUCHED
    if (isErrno(error, 'ENOTDIR', 'ELOOP')) return undefined
    throw error
  }
  try {
    const settled = BigInt(Date.now()) * 1_000_000n - SETTLED_NS
    const found = [
      fstatSync(directory, { bigint: true }),
      ...ACCOUNT_FILES.map((name) =>
        lstatSync(`/proc/self/fd/${directory}/${name}`, { bigint: true, throwIfNoEntry: false }),
      ),
    ]
    if (found.some((one) => one?.isSymbolicLink() === true || (one?.ctimeNs ?? 0n) > settled)) {
      return undefined
    }
    return found
      .map((one) => one && `${one.dev} ${one.ino} ${one.mode} ${one.size} ${one.ctimeNs}`)
      .join('\n')
  } finally {
    closeSync(directory)
  }
}

/** On the way to the account files of a layer: they may lead to where a change has no trace in `/etc`. */
function hasSymlinks(layer: string): boolean {
  return ['etc', 'etc/passwd', 'etc/group'].some(
    (path) => lstatSync(join(layer, path), { throwIfNoEntry: false })?.isSymbolicLink() === true,
  )
}

function isEmptyOrMissing(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    throw error
  }
}

function readText(
  engine: Pick<Engine, 'images'>,
  layers: readonly string[],
  path: string,
): string | undefined {
  try {
    return engine.images.readRootFile([...layers], path, MAX_BYTES)?.toString('utf8') ?? ''
  } catch (error) {
    if (isEngineError(error, 'INVALID_ARGUMENT')) return undefined
    throw error
  }
}
