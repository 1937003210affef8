import type { Readable } from 'node:stream'
import type { Engine } from '../engine.ts'
import { imageEvent } from './image-event.ts'

export interface ImportRequest {
  readonly reference?: string
  readonly message?: string
  readonly platform?: string
  /** Dockerfile instructions: `CMD ["sh"]`. */
  readonly changes: readonly string[]
}

/** Makes an image of one layer from the tar of a root filesystem. Gives its id. */
export async function importImage(
  engine: Pick<Engine, 'images' | 'events'>,
  tar: Readable,
  request: ImportRequest,
): Promise<string> {
  const id = await engine.images.import(tar, { ...request, changes: [...request.changes] })
  engine.events.emit(imageEvent(engine, id, 'import', request.reference ?? id))
  return id
}
