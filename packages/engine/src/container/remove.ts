import { EngineError } from '@ctr/errdefs'
import { isStorageError } from '@ctr/store'
import type { Engine } from '../engine.ts'
import { markPending, removeVolumeFiles } from '../volume/remove.ts'
import { volumeEvent } from '../volume/volume-event.ts'
import { containerEvent } from './container-event.ts'
import { removeContainerFiles } from './create.ts'
import { killAndWait } from './kill.ts'
import { removeLink } from './links.ts'
import { rootDirectoryOf } from './root-directory.ts'
import { isAlive, isRunningForUser } from './state.ts'
import { releaseLayer } from './storage-size.ts'
import { keepWish, withWish } from './unrecorded-wish.ts'

export interface RemoveOptions {
  /** Kill it first if it runs. */
  readonly force: boolean
  /** Anonymous volumes too. */
  readonly volumes: boolean
  /** `rm --link own/alias`: the link goes, no container. */
  readonly link?: boolean
}

/** How often a forced removal kills a container that somebody keeps starting. */
const MAX_ATTEMPTS = 5

/** CONFLICT while it runs, unless forced. NOT_FOUND. */
export async function removeContainer(
  engine: Engine,
  reference: string,
  options: RemoveOptions,
): Promise<void> {
  if (options.link === true) return removeLink(engine, reference)
  const { id, name } = engine.containers.get(reference)
  for (let attempt = 1; ; attempt++) {
    const isRemoved = await engine.queues.run(id, async () => {
      const container = engine.containers.byId(id)
      // --rm, or another removal, was faster.
      if (container === undefined) return true
      const { state } = container
      if (isRunningForUser(state) && !options.force) {
        throw new EngineError(
          'CONFLICT',
          state.status === 'paused'
            ? `cannot remove container "/${name}": container is paused and must be unpaused first`
            : `cannot remove container "/${name}": container is ${state.status}: stop the container before removing or force remove`,
        )
      }
      if (isAlive(state)) return false
      await removeContainerRecord(engine, id, options)
      return true
    })
    if (isRemoved) return
    if (attempt === MAX_ATTEMPTS) {
      throw new EngineError('CONFLICT', `cannot remove container "/${name}": could not kill`)
    }
    await killForRemoval(engine, id, options)
  }
}

/** A removal that fails is told to its client, and is none for the next engine. */
async function killForRemoval(engine: Engine, id: string, options: RemoveOptions): Promise<void> {
  try {
    await killAndWait(engine, id, options.volumes ? 'volumes' : 'container')
    engine.waiters.assertRecorded(id)
  } catch (error) {
    takeRemovalBack(engine, id)
    throw error
  }
}

function takeRemovalBack(engine: Engine, id: string): void {
  const container = engine.containers.byId(id)
  if (container === undefined) return
  const { bookkeeping } = container
  if (engine.unrecordedWishes.has(id)) {
    keepWish(engine, id, { ...withWish(engine, container), removal: '' })
  }
  if (bookkeeping.removal === '') return
  try {
    engine.events.commit('volatile', () => {
      engine.containers.change(id, { bookkeeping: { ...bookkeeping, removal: '' } })
    })
  } catch (err) {
    if (!isStorageError(err)) throw err
    engine.log.error({ containerId: id, err }, 'a removal that failed is recorded as one to come')
  }
}

/**
 * In the container's queue; its process is gone. The row first: what a crash leaves of the files has no row, and the
 * next start of the engine removes it.
 */
export async function removeContainerRecord(
  engine: Engine,
  id: string,
  options: { readonly volumes: boolean },
): Promise<void> {
  const container = engine.containers.get(id)
  await engine.logForwarders.drain(id)
  engine.timers.get(id)?.[Symbol.dispose]()
  engine.timers.delete(id)
  await engine.networks.disconnect(id)
  const doomed = options.volumes ? anonymousVolumes(engine, id) : []
  for (const name of doomed) markPending(engine, name)
  const removeLayers = engine.events.commit('volatile', () => {
    engine.containers.delete(id)
    engine.userNamespaces.forget(id)
    engine.execs.deleteOfContainer(id)
    engine.events.add(containerEvent(container, 'destroy'))
    for (const name of doomed) {
      engine.events.add(volumeEvent(engine.volumes.get(name), 'destroy'))
      engine.volumes.delete(name)
    }
    return engine.images.releaseLayers(id)
  })
  // Nobody waits for the disk: a container that is there again after a power cut has its directory again (restoreRemoved).
  if (doomed.length > 0) await engine.store.flush()
  engine.pendingAttachments.cancel(id)
  engine.waiters.removed(id, { exitCode: container.state.exitCode })
  if (rootDirectoryOf(container.hostConfig) === undefined) {
    releaseLayer(container, engine.config.defaultStorageBytes)
  }
  removeContainerFiles(engine, id)
  await removeLayers()
  for (const name of doomed) removeVolumeFiles(engine, name)
}

/** Its own, that no other container mounts (--volumes-from). */
function anonymousVolumes(engine: Engine, id: string): string[] {
  const { mounts } = engine.containers.get(id)
  return mounts
    .filter((mount) => mount.type === 'volume' && mount.isAnonymous)
    .map((mount) => mount.name ?? '')
    .filter((name) => engine.containers.volumeUsers(name).every((user) => user === id))
    .filter((name) => engine.volumes.find(name) !== undefined)
}
