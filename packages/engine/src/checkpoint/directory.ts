import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import type { ContainerRecord } from '../container/container.ts'
import type { Engine } from '../engine.ts'

/** moby daemon/names, RestrictedNamePattern */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

type Named = Pick<ContainerRecord, 'id' | 'name'>
type Deps = Pick<Engine, 'config'>

/** INVALID_ARGUMENT. */
export function checkName(name: string): void {
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
export function claimCheckpoint(
  engine: Deps,
  container: Named,
  asked: string,
  name: string,
): string {
  checkName(name)
  const directory = checkpointsDirectory(engine, container, asked)
  const path = join(directory, name)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
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

/** NOT_FOUND. */
export async function removeCheckpoint(
  engine: Engine,
  reference: string,
  name: string,
  asked: string,
): Promise<void> {
  const container = engine.containers.get(reference)
  await engine.queues.run(container.id, async () => {
    const path = findCheckpoint(engine, container, asked, name)
    await rm(path, { recursive: true, force: true })
  })
}
