import type { ImageDeleted } from '@ctr/api'
import { isRunningForUser } from '../container/state.ts'
import type { Engine } from '../engine.ts'
import { imageEvent } from './image-event.ts'

type Deps = Pick<Engine, 'images' | 'events' | 'containers'>

/** A name, and the image with its last one. NOT_FOUND, CONFLICT (in use). */
export function removeImage(
  engine: Deps,
  reference: string,
  options: { readonly force: boolean; readonly prune: boolean },
): ImageDeleted[] {
  const { id } = engine.images.get(reference)
  const untagged = imageEvent(engine, id, 'untag', id)
  const deleted = engine.images.remove(reference, { ...options, usedBy: imageUsers(engine) })
  engine.events.commit('volatile', () => {
    for (const record of deleted) {
      if (record.Untagged !== undefined) engine.events.add(untagged)
      if (
        record.Deleted?.startsWith('sha256:') &&
        engine.images.find(record.Deleted) === undefined
      ) {
        const { Deleted } = record
        // Layers are in the list as well, under ids that never were images: only the first one is.
        if (Deleted === id) engine.events.add(imageEvent(engine, Deleted, 'delete', Deleted))
      }
    }
  })
  return deleted
}

/** Which containers were made from an image, for those who must not take it away from them. */
export function imageUsers(
  engine: Pick<Engine, 'containers'>,
): (imageId: string) => { id: string; running: boolean }[] {
  return (imageId) =>
    engine.containers
      .all()
      .filter((container) => container.imageId === imageId)
      .map(({ id, state }) => ({ id, running: isRunningForUser(state) }))
}
