import type { Readable } from 'node:stream'
import type { Engine } from '../engine.ts'
import { imageEvent } from './image-event.ts'

/** An archive of these images. NOT_FOUND is thrown at once. */
export function saveImages(
  engine: Pick<Engine, 'images' | 'events'>,
  references: readonly string[],
): Readable {
  const ids = new Set(references.map((reference) => engine.images.get(reference).id))
  const archive = engine.images.save(references)
  for (const id of ids) engine.events.emit(imageEvent(engine, id, 'save', id))
  return archive
}
