import type { Readable } from 'node:stream'
import { containerEvent } from '../container/container-event.ts'
import type { Engine } from '../engine.ts'
import { archiveStream } from './archive-stream.ts'
import { openView } from './view.ts'

/** A tar of the container's root filesystem, without what is mounted in it. Destroy it to stop. */
export async function exportContainer(engine: Engine, reference: string): Promise<Readable> {
  const view = await openView(engine, reference, 'layers', 'export')
  const { rootPath, container, idMaps } = view
  engine.events.emit(containerEvent(container, 'export'))
  const { stream } = await archiveStream(engine, view, {
    rootPath,
    path: '/',
    isContentOnly: true,
    idMaps,
  })
  return stream
}
