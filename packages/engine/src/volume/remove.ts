import { randomUUID } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
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
    deleteVolumes(engine, [volume])
  })
}

/** Row and event first, then the files; a directory that a crash leaves in between bears the mark. */
function deleteVolumes(
  engine: Pick<Engine, 'volumes' | 'events' | 'config' | 'background'>,
  volumes: readonly Volume[],
): void {
  if (volumes.length === 0) return
  for (const volume of volumes) markPending(engine, volume.name)
  engine.events.commit('durable', () => {
    for (const volume of volumes) {
      engine.volumes.delete(volume.name)
      engine.events.add(volumeEvent(volume, 'destroy'))
    }
  })
  for (const volume of volumes) removeVolumeFiles(engine, volume.name)
}

/** Before the row goes: recovery may then delete the directory. */
export function markPending(engine: Pick<Engine, 'volumes'>, name: string): void {
  ignoreMissing(() => writeFileSync(join(engine.volumes.directory(name), PENDING_MARK), ''))
}

/** Frees the name at once; the files go in the background, from tmp/, which the next start empties. */
export function removeVolumeFiles(
  engine: Pick<Engine, 'volumes' | 'config' | 'background'>,
  name: string,
): void {
  const doomed = join(engine.config.dataRoot, 'tmp', `volume-${randomUUID()}`)
  ignoreMissing(() => renameSync(engine.volumes.directory(name), doomed))
  engine.background.run('remove files of a volume', '', () =>
    rm(doomed, { recursive: true, force: true }),
  )
}

function ignoreMissing(change: () => void): void {
  try {
    change()
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
