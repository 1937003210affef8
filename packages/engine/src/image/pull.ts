import type { Image, Images } from '@ctr/images'
import type { Engine } from '../engine.ts'

/** UPSTREAM, NOT_FOUND, UNAUTHENTICATED: see @ctr/images. The event names what was asked for, as Docker's. */
export async function pullImage(
  engine: Pick<Engine, 'images' | 'events'>,
  reference: string,
  options: Parameters<Images['pull']>[1],
): Promise<Image> {
  const image = await engine.images.pull(reference, options)
  engine.events.emit({
    type: 'image',
    action: 'pull',
    actorId: reference,
    attributes: { ...image.config.config?.Labels, name: reference },
  })
  return image
}

/** As `pullImage`, of all tags that the registry has; `name` has none. */
export async function pullAllTags(
  engine: Pick<Engine, 'images' | 'events'>,
  name: string,
  options: Parameters<Images['pull']>[1],
): Promise<void> {
  await engine.images.pullAllTags(name, options)
  engine.events.emit({ type: 'image', action: 'pull', actorId: name, attributes: { name } })
}
