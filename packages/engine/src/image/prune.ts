import type { Filters, ImageDeleted } from '@ctr/api'
import type { Engine } from '../engine.ts'
import type { PruneOptions } from '../prune.ts'
import { imageUsers } from './remove.ts'

/** Removes images that no container was made from: those without a name, or with `dangling=false` all. */
export function pruneImages(
  engine: Pick<Engine, 'images' | 'events' | 'containers'>,
  filters: Filters,
  o: PruneOptions = {},
): { deleted: ImageDeleted[]; spaceReclaimed: number } {
  const users = imageUsers(engine)
  const { deleted, spaceReclaimed } = engine.images.prune(
    filters,
    (id) => users(id).filter((user) => o.withoutContainers?.has(user.id) !== true),
    o,
  )
  if (o.isDryRun === true) return { deleted, spaceReclaimed }
  engine.events.emit({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  })
  return { deleted, spaceReclaimed }
}
