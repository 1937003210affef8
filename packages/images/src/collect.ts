import { readdirSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { digestHex } from '@ctr/oci'
import { transaction } from '@ctr/store'
import type { ImageDeps } from './deps.ts'
import { MOUNT_POINTS_LAYER, makeMountPoints } from './layer/mount-points.ts'
import { blobPath, snapshotPath } from './paths.ts'
import { WORK_PREFIX } from './work-places.ts'

/** Rows that are gone; their files are still there. */
export type Removed = ReturnType<ImageDeps['table']['removeUnused']>

/** Call after the transaction: files without a row are removed by reconcile if we do not come to it. */
export function removeFiles(deps: ImageDeps, { layers, blobs }: Removed): void {
  for (const blob of blobs) removeFile(blobPath(deps.paths, blob.digest))
  for (const layer of layers) deps.graveyard.bury(snapshotPath(deps.paths, layer.id))
}

/** A partial download is worth keeping for a pull that is tried again, not for ever. */
const INGEST_MAX_AGE_MS = 7 * 24 * 3600 * 1000

/**
 * Removes what a crash has left: temporary files, and snapshots and blobs that have no row; makes the layer of mount points.
 * Call before anything else.
 */
export function reconcileFiles(deps: ImageDeps): void {
  const { paths, table } = deps
  for (const name of readdirSync(paths.tmp)) deps.graveyard.bury(join(paths.tmp, name))
  transaction(deps.store, () => table.removeUnused())
  makeMountPoints(paths)
  const layers = new Set([MOUNT_POINTS_LAYER, ...table.layers().map(({ id }) => id)].map(String))
  const blobs = new Set(table.blobs().map((blob) => digestHex(blob.digest)))
  removeStrangers(deps, paths.snapshots, layers)
  removeStrangers(deps, paths.blobs, blobs)
  for (const name of readdirSync(paths.ingest)) {
    const path = join(paths.ingest, name)
    if (name.startsWith(WORK_PREFIX) || Date.now() - statSync(path).mtimeMs > INGEST_MAX_AGE_MS)
      deps.graveyard.bury(path)
  }
}

function removeStrangers(
  { graveyard, log }: ImageDeps,
  directory: string,
  known: ReadonlySet<string>,
): void {
  for (const name of readdirSync(directory)) {
    if (known.has(name)) continue
    log.info({ path: join(directory, name) }, 'remove what nothing refers to')
    graveyard.bury(join(directory, name))
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
