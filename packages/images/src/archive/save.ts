import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { EngineError } from '@ctr/errdefs'
import { parseReference, type Reference, repositoryOf } from '@ctr/oci'
import type { ImageRow } from '@ctr/store'
import type { Compression } from '../content/compression.ts'
import type { ImageDeps } from '../deps.ts'
import { getImageRow, parseUserReference } from '../lookup.ts'
import { blobPath } from '../paths.ts'
import { type ImageToWrite, writeArchive } from './write.ts'

/**
 * An archive of the images. A name with a tag saves that tag, a name without saves `latest`, an id saves the image without
 * names. All are looked up at once: an unknown one throws before the first byte.
 */
export function saveImages(deps: ImageDeps, refs: readonly string[]): Readable {
  if (refs.length === 0) throw new EngineError('INVALID_ARGUMENT', 'no image to save')
  const images = new Map<string, { row: ImageRow; names: Reference[] }>()
  for (const ref of refs) {
    const row = getImageRow(deps.table, ref)
    const image = images.get(row.id) ?? { row, names: [] }
    image.names.push(...namesToSave(deps, row, ref))
    images.set(row.id, image)
  }
  return Readable.from(save(deps, [...images.values()]), { objectMode: false })
}

/** Keeps every blob open, so that an image may be removed while it is being saved. */
async function* save(
  deps: ImageDeps,
  images: readonly { row: ImageRow; names: Reference[] }[],
): AsyncGenerator<Buffer> {
  const handles = new Map<string, FileHandle>()
  try {
    for (const { row } of images) {
      for (const layer of deps.table.layerStack(row.topLayer)) {
        if (handles.has(layer.blob)) continue
        handles.set(layer.blob, await open(blobPath(deps.paths, layer.blob)))
      }
    }
    yield* writeArchive(images.map(({ row, names }) => toWrite(deps, row, names, handles)))
  } finally {
    for (const handle of handles.values()) await handle.close()
  }
}

function toWrite(
  { table }: ImageDeps,
  row: ImageRow,
  names: Reference[],
  handles: ReadonlyMap<string, FileHandle>,
): ImageToWrite {
  const layers = table.layerStack(row.topLayer).reverse()
  return {
    config: row.config,
    parent: row.parent ?? undefined,
    names,
    layers: layers.map(({ blob }) => {
      const { size, compression } = table.blob(blob) ?? { size: 0, compression: 'none' }
      return {
        digest: blob,
        size,
        compression: compression as Compression,
        open: () => {
          const fd = handles.get(blob)?.fd ?? -1
          return createReadStream('', {
            fd,
            start: 0,
            autoClose: false,
            highWaterMark: 1 << 20,
          }) as AsyncIterable<Buffer>
        },
      }
    }),
  }
}

/** The name under which `ref` found the image; none if it is an id. */
function namesToSave({ table }: ImageDeps, row: ImageRow, ref: string): Reference[] {
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(ref)) return []
  const reference = parseUserReference(ref)
  if (reference.digest !== undefined) return []
  const name = table.tag(repositoryOf(reference), reference.tag ?? 'latest')
  if (name?.imageId !== row.id) return []
  return [{ ...parseReference(name.repository), tag: name.value }]
}
