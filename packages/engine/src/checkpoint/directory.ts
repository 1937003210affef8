import { lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import type { ContainerRecord } from '../container/container.ts'
import type { Engine } from '../engine.ts'
import { makeDirectories } from '../make-directories.ts'

/** moby daemon/names, RestrictedNamePattern */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

type Named = Pick<ContainerRecord, 'id' | 'name'>
type Deps = Pick<Engine, 'config'>

/** INVALID_ARGUMENT. */
function checkName(name: string): void {
  if (NAME.test(name)) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    `Invalid checkpoint ID (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  )
}

/** Where the checkpoints of a container are: `--checkpoint-dir`, or beside its layers, with which they go. */
export function checkpointsDirectory(engine: Deps, container: Named, asked: string): string {
  if (asked === '') return join(engine.config.dataRoot, 'containers', container.id, 'checkpoints')
  if (isAbsolute(asked)) return asked
  throw new EngineError('INVALID_ARGUMENT', `checkpoint directory ${asked} must be absolute`)
}

/** An empty directory for a new checkpoint. CONFLICT if the name is taken. */
export async function claimCheckpoint(
  engine: Deps,
  container: Named,
  asked: string,
  name: string,
): Promise<string> {
  checkName(name)
  const directory = checkpointsDirectory(engine, container, asked)
  const path = join(directory, name)
  await makeDirectories(directory, 0o700)
  try {
    mkdirSync(path, { mode: 0o700 })
    return path
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    throw new EngineError(
      'CONFLICT',
      `cannot checkpoint container ${container.name}: checkpoint with name ${name} already exists for container ${container.name}`,
    )
  }
}

/** The directory of a checkpoint that exists. NOT_FOUND, with the container called `shown`: Docker's start has a slash before it. */
export function findCheckpoint(
  engine: Deps,
  container: Named,
  asked: string,
  name: string,
  shown = container.name,
): string {
  checkName(name)
  const path = join(checkpointsDirectory(engine, container, asked), name)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return path
  throw new EngineError(
    'NOT_FOUND',
    found === undefined
      ? `checkpoint ${name} does not exist for container ${shown}`
      : `${path} exists and is not a directory`,
  )
}

/** By name. */
export function listCheckpoints(engine: Engine, reference: string, asked: string): string[] {
  const container = engine.containers.get(reference)
  try {
    return readdirSync(checkpointsDirectory(engine, container, asked), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && NAME.test(entry.name))
      .map(({ name }) => name)
      .toSorted((a, b) => (a < b ? -1 : 1))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** NOT_FOUND; INVALID_ARGUMENT for a directory in which somebody keeps something else. */
export async function removeCheckpoint(
  engine: Engine,
  reference: string,
  name: string,
  asked: string,
): Promise<void> {
  const container = engine.containers.get(reference)
  await engine.queues.run(container.id, async () => {
    const path = findCheckpoint(engine, container, asked, name)
    if (asked !== '' && !isCheckpoint(path)) {
      throw new EngineError('INVALID_ARGUMENT', `${path} is not a checkpoint`)
    }
    await rm(path, { recursive: true, force: true })
  })
}

/** What criu and we write, into a checkpoint or into one that a kill of the daemon left half done. */
const OURS =
  /\.img$|^stats-\w+$|^(dump|restore)\.log$|^(checkpoint|descriptors|external-mounts)\.json$/

/** The client names the directory, which may be any of the host's. */
function isCheckpoint(path: string): boolean {
  if (!lstatSync(path).isDirectory()) return false
  const entries = readdirSync(path, { withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  if (files.includes('checkpoint.json') && files.includes('inventory.img')) return true
  // criu's link to the images that these go on from.
  const others = entries.filter((entry) => !entry.isFile() && entry.name !== 'parent')
  return others.length === 0 && files.every((name) => OURS.test(name))
}
