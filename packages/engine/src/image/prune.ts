import type { Filters, ImageDeleted } from '@ctr/api'
import type { ImageSummary } from '@ctr/images'
import type { Engine } from '../engine.ts'
import type { NewEvent } from '../events.ts'
import type { PruneOptions } from '../prune.ts'
import { imageUsers } from './remove.ts'

/** Removes images that no container was made from: those without a name, or with `dangling=false` all. */
export function pruneImages(
  engine: Pick<Engine, 'images' | 'events' | 'containers'>,
  filters: Filters,
  o: PruneOptions = {},
): { deleted: ImageDeleted[]; spaceReclaimed: number } {
  const users = imageUsers(engine)
  const before = engine.images.list({ all: true })
  const { deleted, spaceReclaimed } = engine.images.prune(
    filters,
    (id) => users(id).filter((user) => o.withoutContainers?.has(user.id) !== true),
    o,
  )
  if (o.isDryRun === true) return { deleted, spaceReclaimed }
  for (const event of removals(before, deleted)) engine.events.emit(event)
  engine.events.emit({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  })
  return { deleted, spaceReclaimed }
}

/** `untag` for each name that went, `delete` for each image: the names of an image come before it in the list. */
function removals(before: readonly ImageSummary[], deleted: readonly ImageDeleted[]): NewEvent[] {
  const images = new Map(before.map((image) => [image.id, image]))
  const events: NewEvent[] = []
  let untagged = 0
  for (const { Untagged, Deleted } of deleted) {
    if (Untagged !== undefined) untagged += 1
    const image = images.get(Deleted ?? '')
    if (image === undefined) continue
    const { id, labels } = image
    const attributes = { ...labels, name: id }
    const event = { type: 'image', actorId: id, attributes } as const
    events.push(...Array.from({ length: untagged }, () => ({ ...event, action: 'untag' })))
    // Its labels went with it, as in Docker.
    events.push({ ...event, action: 'delete', attributes: { name: id } })
    untagged = 0
  }
  return events
}
