import { chmodSync, chownSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { ImageRow } from '@ctr/store'
import { removeFiles } from '../collect.ts'
import type { ImageDeps } from '../deps.ts'
import { snapshotPath } from '../paths.ts'

/** Of most root filesystems: what a spare directory has already. */
const USUAL_ROOT = { uid: 0, gid: 0, mode: 0o755 }

/** What is made ahead for `createContainerLayer`, in this order, at a place of the data root's filesystem. */
export function spareLayer(path: string): { path: string; mode: number }[] {
  return [
    { path, mode: 0o700 },
    { path: join(path, 'upper'), mode: USUAL_ROOT.mode },
    { path: join(path, 'work'), mode: 0o700 },
  ]
}

/**
 * A container's writable layer: `containers/<id>/{upper,work}` above the layers of its image. `spare` is renamed, if it is still
 * there. NOT_FOUND.
 */
export function createContainerLayer(
  { table, paths, graveyard }: ImageDeps,
  containerId: string,
  imageId: string,
  spare?: string,
): { upper: string; work: string } {
  const { topLayer } = needImage(table, imageId)
  const directory = `${paths.containers}/${containerId}`
  const upper = `${directory}/upper`
  const work = `${directory}/work`
  const isReady = spare !== undefined && isRenamed(spare, directory)
  if (!isReady) {
    // Of another filesystem, say: nobody else will take it.
    if (spare !== undefined) graveyard.bury(spare)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    mkdirSync(upper, { mode: 0o700 })
    mkdirSync(work, { mode: 0o700 })
  }
  // Overlay shows the upper directory's own attributes as those of the root.
  const { uid, gid, mode } =
    topLayer === null ? USUAL_ROOT : statSync(snapshotPath(paths, topLayer))
  const isUsual = uid === 0 && gid === 0 && (mode & 0o7777) === USUAL_ROOT.mode
  if (isReady && isUsual) return { upper, work }
  chownSync(upper, uid, gid)
  chmodSync(upper, mode & 0o7777)
  return { upper, work }
}

function isRenamed(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch {
    return false
  }
}

/** Within a transaction: the image's layers stay until `releaseLayers`, also if the image is removed by force. NOT_FOUND. */
export function holdLayers({ table }: ImageDeps, containerId: string, imageId: string): void {
  table.putContainerLayer(containerId, needImage(table, imageId).topLayer)
}

/**
 * Within a transaction, and idempotent. What is returned is to be called after it: it removes the files of the layers
 * that nothing else needs.
 */
export function releaseLayers(deps: ImageDeps, containerId: string): () => Promise<void> {
  const isLast = deps.table.removeContainerLayer(containerId)
  if (!isLast) return async () => undefined
  const unused = deps.table.removeUnused()
  return async () => {
    // A row that came back after a power cut would promise files that are gone.
    await deps.store.flush()
    removeFiles(deps, unused)
  }
}

function needImage(table: ImageDeps['table'], imageId: string): ImageRow {
  const image = table.image(imageId)
  if (image === undefined) throw new EngineError('NOT_FOUND', `No such image: ${imageId}`)
  return image
}
