import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
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
}

/** Account files of images, by image id: images never change. */
const imageAccounts = new Map<string, Accounts>()
const CACHED_IMAGES = 64

/**
 * Who the container's process (or an exec of it) runs as, by the container's own files as they are now. INVALID_ARGUMENT
 * if there is a name in it that they do not have, or if they are too large to find it.
 */
export function resolveContainerUser(
  engine: Pick<Engine, 'images' | 'config'>,
  container: ContainerRecord,
  user: string,
): ResolvedUser {
  const { passwd, group } = readAccounts(engine, container)
  const added = container.hostConfig.GroupAdd ?? []
  const [userName = '', groupName = ''] = user.split(':')
  if (passwd === undefined) assertNumbers('/etc/passwd', [userName])
  if (group === undefined) assertNumbers('/etc/group', [groupName, ...added])
  return resolveUser(user, added, passwd ?? '', group ?? '')
}

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
  const lower = container.layers.map((layer) => resolve(engine.config.dataRoot, layer))
  // Before the first start nothing can differ from the image; for `explain` there is no container layer at all.
  const isFresh = isEmptyOrMissing(container.upperDir)
  const key = container.imageId
  const isKept = isFresh && key !== ''
  const cached = isKept ? imageAccounts.get(key) : undefined
  if (cached !== undefined) return cached
  const layers = isFresh ? lower : [container.upperDir, ...lower]
  const accounts = {
    passwd: readText(engine, layers, '/etc/passwd'),
    group: readText(engine, layers, '/etc/group'),
  }
  if (isKept) {
    if (imageAccounts.size >= CACHED_IMAGES) {
      imageAccounts.delete(imageAccounts.keys().next().value ?? '')
    }
    imageAccounts.set(key, accounts)
  }
  return accounts
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
