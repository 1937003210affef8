import type { ImagesPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { type DryRun, dryRunQuery } from '../dry-run.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneImages(
  client: Client,
  filters?: FilterMap,
  dryRun?: DryRun,
): Promise<ImagesPruned> {
  const query = { filters: encodeFilters(filters), ...dryRunQuery(dryRun) }
  return client.json({ method: 'POST', path: '/images/prune', query })
}
