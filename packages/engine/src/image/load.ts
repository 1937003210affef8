import type { Readable } from 'node:stream'
import type { ProgressMessage } from '@ctr/api'
import type { Engine } from '../engine.ts'
import { imageEvent } from './image-event.ts'

type Deps = Pick<Engine, 'images' | 'events'>

/** Loads every image of an archive; a broken one leaves nothing. Gives what was loaded: names, or ids without one. */
export async function loadImages(
  engine: Deps,
  tar: Readable,
  options: { readonly quiet: boolean; readonly onProgress?: (message: ProgressMessage) => void },
): Promise<string[]> {
  const { loaded } = await engine.images.load(tar, options)
  const ids = new Set(loaded.map((reference) => engine.images.find(reference)?.id ?? reference))
  for (const id of ids) engine.events.emit(imageEvent(engine, id, 'load', id))
  return loaded
}
