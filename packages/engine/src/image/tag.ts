import { familiarReference, parseReference, withDefaultTag } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import { imageEvent } from './image-event.ts'

/** Gives an image one more name. NOT_FOUND, INVALID_ARGUMENT. */
export function tagImage(
  engine: Pick<Engine, 'images' | 'events'>,
  reference: string,
  target: string,
): void {
  const { id } = engine.images.get(reference)
  engine.images.tag(id, target)
  // It was accepted, so it can be parsed.
  const shown = familiarReference(withDefaultTag(parseReference(target)))
  engine.events.emit(imageEvent(engine, id, 'tag', shown))
}
