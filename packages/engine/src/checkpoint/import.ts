import { mkdirSync, readFileSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { ContainerConfig, decode, HostConfig, NetworkingConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { parseForeignJson } from '@ctr/oci'
import { createContainer } from '../container/create.ts'
import { removeContainer } from '../container/remove.ts'
import { startContainer } from '../container/start.ts'
import type { Engine } from '../engine.ts'
import { DOCUMENT, invalid, LAYER, unpackCheckpoint } from './archive.ts'
import { checkpointsDirectory, removeCheckpoint } from './directory.ts'
import { type ExportedContainer, scratchDirectory } from './export.ts'

export interface ImportRequestOptions {
  /** Instead of the name that it had. */
  readonly name?: string | undefined
  /** The checkpoint stays with the container after its start. */
  readonly keep: boolean
}

const NAME = 'import'

/**
 * Makes a container of an exported one and goes on where it was. Its image must be there; named volumes are found by
 * their names, or made empty. If anything fails, nothing is left. NOT_FOUND (image), CONFLICT (name), INVALID_ARGUMENT.
 */
export async function importCheckpoint(
  engine: Engine,
  archive: Readable,
  options: ImportRequestOptions,
): Promise<{ id: string; warnings: string[] }> {
  const scratch = scratchDirectory(engine)
  try {
    const images = join(scratch, 'images')
    mkdirSync(images, { mode: 0o700 })
    await unpackCheckpoint(archive, scratch, images)
    const exported = readDocument(join(scratch, DOCUMENT))
    assertImage(engine, exported)
    const made = await createContainer(engine, {
      name: options.name ?? exported.name,
      config: exported.config,
      hostConfig: exported.hostConfig,
      networkingConfig: exported.networkingConfig,
    })
    try {
      await fill(engine, made.id, { layer: join(scratch, LAYER), images })
      await startContainer(engine, made.id, { checkpoint: { name: NAME, directory: '' } })
    } catch (error) {
      await removeContainer(engine, made.id, { force: true, volumes: true, link: false }).catch(
        (err: unknown) =>
          engine.log.warn({ err, containerId: made.id }, 'remove what was imported'),
      )
      throw error
    }
    if (!options.keep) await removeCheckpoint(engine, made.id, NAME, '')
    return made
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function fill(
  engine: Engine,
  id: string,
  from: { layer: string; images: string },
): Promise<void> {
  const container = engine.containers.get(id)
  await engine.images.unpackContainerLayer(from.layer, container.upperDir)
  const place = join(checkpointsDirectory(engine, container, ''), NAME)
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 })
  renameSync(from.images, place)
}

/** INVALID_ARGUMENT. Exported for its test. */
export function readDocument(path: string): ExportedContainer {
  let value: Partial<Record<keyof ExportedContainer, unknown>>
  try {
    value = (parseForeignJson(readFileSync(path)) ?? {}) as typeof value
  } catch (error) {
    throw invalid(`${DOCUMENT} is no JSON`, error)
  }
  const { version, name, imageId, imageReference, config, hostConfig, networkingConfig } = value
  if (
    version !== 1 ||
    typeof name !== 'string' ||
    typeof imageId !== 'string' ||
    typeof imageReference !== 'string'
  ) {
    throw invalid(`${DOCUMENT} has not what is needed`)
  }
  return {
    version,
    name,
    imageId,
    imageReference,
    config: decode(ContainerConfig, config),
    hostConfig: decode(HostConfig, hostConfig),
    networkingConfig: decode(NetworkingConfig, networkingConfig),
  }
}

/** The same files must lie below: processes have some of them open or mapped. */
function assertImage(engine: Engine, { imageId, imageReference }: ExportedContainer): void {
  const found = engine.images.find(imageId)
  const byName = engine.images.find(imageReference)
  if (found !== undefined && byName?.id === found.id) return
  throw new EngineError(
    'NOT_FOUND',
    `No such image: ${imageReference} with id ${imageId}: pull or load the image of the exported container first`,
  )
}
