import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { volatileTransaction } from '@ctr/store'
import { type Removed, removeFiles } from '../collect.ts'
import type { ImageDeps } from '../deps.ts'
import { snapshotPath } from '../paths.ts'

/**
 * A container's writable layer: `containers/<id>/{upper,work}` above the layers of its image. It keeps those layers in the
 * store, also when the image is removed by force. The caller flushes the store before it acknowledges the container.
 */
export function createContainerLayer(
  { store, table, paths }: ImageDeps,
  containerId: string,
  imageId: string,
): { upper: string; work: string } {
  const image = table.image(imageId)
  if (image === undefined) throw new EngineError('NOT_FOUND', `No such image: ${imageId}`)
  volatileTransaction(store, () => table.putContainerLayer(containerId, image.topLayer))
  const { upper, work } = layerPaths(paths.containers, containerId)
  mkdirSync(upper, { recursive: true, mode: 0o700 })
  mkdirSync(work, { mode: 0o700 })
  // Overlay shows the upper directory's own attributes as those of the root.
  const root = image.topLayer === null ? undefined : statSync(snapshotPath(paths, image.topLayer))
  chownSync(upper, root?.uid ?? 0, root?.gid ?? 0)
  chmodSync(upper, (root?.mode ?? 0o755) & 0o7777)
  return { upper, work }
}

/** Idempotent. The layers below are removed with it, if nothing else needs them. */
export async function removeContainerLayer(deps: ImageDeps, containerId: string): Promise<void> {
  const { upper, work } = layerPaths(deps.paths.containers, containerId)
  deps.graveyard.bury(upper)
  deps.graveyard.bury(work)
  const unused = volatileTransaction(deps.store, (): Removed | undefined =>
    deps.table.removeContainerLayer(containerId) ? deps.table.removeUnused() : undefined,
  )
  if (unused === undefined) return
  // A row that came back after a power cut would promise files that are gone.
  await deps.store.flush()
  removeFiles(deps, unused)
}

function layerPaths(containers: string, containerId: string): { upper: string; work: string } {
  const directory = join(containers, containerId)
  return { upper: join(directory, 'upper'), work: join(directory, 'work') }
}
