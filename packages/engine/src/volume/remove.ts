import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { PENDING_MARK } from './create.ts'
import type { Volume } from './registry.ts'
import { volumeEvent } from './volume-event.ts'

type Deps = Pick<Engine, 'volumes' | 'containers' | 'events' | 'queues' | 'config' | 'background'>

/** CONFLICT while a container (running or not) mounts it; NOT_FOUND, unless `force`. */
export async function removeVolume(
  engine: Deps,
  name: string,
  options: { readonly force: boolean },
): Promise<void> {
  await engine.queues.run(`volume ${name}`, async () => {
    const volume = engine.volumes.find(name)
    if (volume === undefined) {
      if (options.force) return
      throw new EngineError('NOT_FOUND', `get ${name}: no such volume`)
    }
    const users = engine.containers.volumeUsers(name)
    if (users.length > 0) {
      throw new EngineError('CONFLICT', `remove ${name}: volume is in use - [${users.join(', ')}]`)
    }
    await deleteVolumes(engine, [volume])
  })
}

/** Row and event first, then the files; a directory that a crash leaves in between bears the mark. */
async function deleteVolumes(
  engine: Pick<Engine, 'volumes' | 'events' | 'config' | 'background'>,
  volumes: readonly Volume[],
): Promise<void> {
  if (volumes.length === 0) return
  for (const volume of volumes) await markPending(engine, volume.name)
  engine.events.commit('durable', () => {
    for (const volume of volumes) {
      engine.volumes.delete(volume.name)
      engine.events.add(volumeEvent(volume, 'destroy'))
    }
  })
  await Promise.all(volumes.map((volume) => removeVolumeFiles(engine, volume.name)))
}

/** Before the row goes: recovery may then delete the directory. */
export async function markPending(engine: Pick<Engine, 'volumes'>, name: string): Promise<void> {
  await writeFile(join(engine.volumes.directory(name), PENDING_MARK), '').catch(ignoreMissing)
}

/** Frees the name at once; the files go in the background, from tmp/, which the next start empties. */
export async function removeVolumeFiles(
  engine: Pick<Engine, 'volumes' | 'config' | 'background'>,
  name: string,
): Promise<void> {
  const doomed = join(engine.config.dataRoot, 'tmp', `volume-${randomUUID()}`)
  await rename(engine.volumes.directory(name), doomed).catch(ignoreMissing)
  engine.background.run('remove files of a volume', '', () =>
    rm(doomed, { recursive: true, force: true }),
  )
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, 'ENOENT')) throw error
}
