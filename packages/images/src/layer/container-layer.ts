import { statSync } from 'node:fs'
import { chmod, chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { collectUnused } from '../collect.ts'
import type { ImageDeps } from '../deps.ts'
import { snapshotPath } from '../paths.ts'

/**
 * A container's writable layer: `containers/<id>/{upper,work}` above the layers of its image. It keeps those layers in the
 * store, also when the image is removed by force.
 */
export async function createContainerLayer(
  { table, paths }: ImageDeps,
  containerId: string,
  imageId: string,
): Promise<{ upper: string; work: string }> {
  const image = table.image(imageId)
  if (image === undefined) throw new EngineError('NOT_FOUND', `No such image: ${imageId}`)
  table.putContainerLayer(containerId, image.topLayer)
  const { upper, work } = layerPaths(paths.containers, containerId)
  await mkdir(upper, { recursive: true, mode: 0o700 })
  await mkdir(work, { recursive: true, mode: 0o700 })
  // Overlay shows the upper directory's own attributes as those of the root.
  const root = image.topLayer === null ? undefined : statSync(snapshotPath(paths, image.topLayer))
  await chown(upper, root?.uid ?? 0, root?.gid ?? 0)
  await chmod(upper, (root?.mode ?? 0o755) & 0o7777)
  return { upper, work }
}

/** Idempotent. The layers below are removed with it, if nothing else needs them. */
export function removeContainerLayer(deps: ImageDeps, containerId: string): void {
  const { upper, work } = layerPaths(deps.paths.containers, containerId)
  deps.graveyard.bury(upper)
  deps.graveyard.bury(work)
  deps.table.removeContainerLayer(containerId)
  collectUnused(deps)
}

function layerPaths(containers: string, containerId: string): { upper: string; work: string } {
  const directory = join(containers, containerId)
  return { upper: join(directory, 'upper'), work: join(directory, 'work') }
}
