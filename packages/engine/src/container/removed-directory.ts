import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { ContainerTable } from '@ctr/store'

const PREFIX = 'container-'

/** Where the directory of a removed container is until it is emptied: in tmp/, which the next start of the engine empties. */
export function removedDirectory(dataRoot: string, id: string): string {
  return `${dataRoot}/tmp/${PREFIX}${id}`
}

/**
 * A removal is answered before it is on the disk: after a power cut its row may be there again. Its directory is whole, as
 * nothing of it is removed before the row is, and goes back to its place. Before tmp/ is emptied.
 */
export function restoreRemoved(dataRoot: string, table: Pick<ContainerTable, 'all'>): void {
  const removed = readdirSync(join(dataRoot, 'tmp')).filter((name) => name.startsWith(PREFIX))
  if (removed.length === 0) return
  for (const { id } of table.all()) {
    if (!removed.includes(PREFIX + id)) continue
    renameSync(removedDirectory(dataRoot, id), join(dataRoot, 'containers', id))
  }
}
