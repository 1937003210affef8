import type { Images } from '@ctr/images'
import type { Engine } from '../engine.ts'
import { imageEvent } from './image-event.ts'

/** One tag, or without a tag all of the repository. NOT_FOUND, UNAUTHENTICATED, UPSTREAM: see @ctr/images. */
export async function pushImage(
  engine: Pick<Engine, 'images' | 'events'>,
  reference: string,
  options: Parameters<Images['push']>[1],
): Promise<void> {
  await engine.images.push(reference, options)
  engine.events.emit(imageEvent(engine, reference, 'push', reference))
}
