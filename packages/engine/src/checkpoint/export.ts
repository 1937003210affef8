import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ContainerConfig, HostConfig, NetworkingConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { freezeCgroup, thawCgroup } from '@ctr/linux'
import type { ContainerRecord } from '../container/container.ts'
import { containerCgroup } from '../container/leftovers.ts'
import { isAlive } from '../container/state.ts'
import type { Engine } from '../engine.ts'
import { DOCUMENT, LAYER, packCheckpoint } from './archive.ts'
import { type CheckpointRequest, createCheckpoint } from './create.ts'
import { findCheckpoint, removeCheckpoint } from './directory.ts'

/** What a container is made of again elsewhere. */
export interface ExportedContainer {
  readonly version: 1
  readonly name: string
  readonly imageId: string
  readonly imageReference: string
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly networkingConfig: NetworkingConfig
}

export interface ExportRequest
  extends Pick<CheckpointRequest, 'exit' | 'tcpEstablished' | 'fileLocks'> {
  /** The checkpoint stays beside the container, too. */
  readonly keep: boolean
}

/**
 * A checkpoint as one archive, with the container's configuration and writable layer; volumes and the image are not in
 * it. The checkpoint stays with the container until all has been read. Errors as of `createCheckpoint`.
 */
export async function exportCheckpoint(
  engine: Engine,
  reference: string,
  request: ExportRequest,
): Promise<Readable> {
  const container = engine.containers.get(reference)
  if (container.imageId === '') {
    throw new EngineError('CONFLICT', 'a container that runs a directory cannot be exported')
  }
  const name = `export-${randomBytes(4).toString('hex')}`
  await createCheckpoint(engine, container.id, { ...request, name, directory: '' })
  const scratch = scratchDirectory(engine)
  const clean = (): Promise<void> => rm(scratch, { recursive: true, force: true })
  try {
    writeFileSync(join(scratch, DOCUMENT), JSON.stringify(document(container)), { mode: 0o600 })
    await packLayer(engine, container.id, join(scratch, LAYER))
  } catch (error) {
    await clean()
    throw error
  }
  const stream = packCheckpoint(scratch, findCheckpoint(engine, container, '', name))
  stream.once('close', () => {
    const isComplete = stream.readableEnded
    engine.background.run('clean up after an export', container.id, async () => {
      await clean()
      // A client that has gone may start the container from it.
      if (isComplete && !request.keep) await removeCheckpoint(engine, container.id, name, '')
    })
  })
  return stream
}

/** Of the engine, on the disk of its data: `tmp` is emptied when it starts. */
export function scratchDirectory(engine: Pick<Engine, 'config'>): string {
  const parent = join(engine.config.dataRoot, 'tmp')
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  return mkdtempSync(join(parent, 'checkpoint-'))
}

function document(container: ContainerRecord): ExportedContainer {
  const { name, imageId, imageReference, config, hostConfig, networkingConfig } = container
  return { version: 1, name, imageId, imageReference, config, hostConfig, networkingConfig }
}

/** One that was left running is stopped for it: memory and files are then almost of one time. */
async function packLayer(engine: Engine, id: string, output: string): Promise<void> {
  await engine.queues.run(id, async () => {
    const container = engine.containers.get(id)
    const cgroup = containerCgroup(engine, container)
    const freezes = isAlive(container.state) && container.state.status === 'running'
    if (freezes) await freezeCgroup(engine.host.cgroups, cgroup)
    try {
      await engine.images.packContainerLayer(container.upperDir, output)
    } finally {
      if (freezes) thawCgroup(engine.host.cgroups, cgroup)
    }
  })
}
