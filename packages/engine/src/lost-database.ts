import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'

/** The layer of mount points, which belongs to no image. */
const OWN_SNAPSHOT = '0'

/**
 * For an empty database. What has no row is removed when the engine starts: with the database lost, that would be all
 * containers and images. CONFLICT if there are any; nothing has been changed then.
 */
export function assertNothingToLose(dataRoot: string): void {
  const found = ['containers', 'content/blobs/sha256', 'snapshots'].filter((path) =>
    namesIn(join(dataRoot, path)).some((name) => name !== OWN_SNAPSHOT),
  )
  if (found.length === 0) return
  throw new EngineError(
    'CONFLICT',
    `the database in ${dataRoot} is empty, but ${found.join(', ')} there are not: put ctr.db and ctr.db-wal back, or move the rest away to begin anew`,
  )
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}
