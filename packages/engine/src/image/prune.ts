import type { Filters, ImageDeleted } from '@ctr/api'
import type { Engine } from '../engine.ts'
import { imageUsers } from './remove.ts'

/** Removes images that no container was made from: those without a name, or with `dangling=false` all. */
export function pruneImages(
  engine: Pick<Engine, 'images' | 'events' | 'containers'>,
  filters: Filters,
): { deleted: ImageDeleted[]; spaceReclaimed: number } {
  const { deleted, spaceReclaimed } = engine.images.prune(filters, imageUsers(engine))
  engine.events.emit({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  })
  return { deleted, spaceReclaimed }
}
