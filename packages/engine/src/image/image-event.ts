import type { Engine } from '../engine.ts'
import type { NewEvent } from '../events.ts'

/** An event of an image: the labels of its config come along, while it is here. */
export function imageEvent(
  engine: Pick<Engine, 'images'>,
  imageId: string,
  action: string,
  name: string,
): NewEvent {
  const labels = engine.images.find(imageId)?.config.config?.Labels ?? {}
  return { type: 'image', action, actorId: imageId, attributes: { ...labels, name } }
}
