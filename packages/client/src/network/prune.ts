import type { NetworksPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { type DryRun, dryRunQuery } from '../dry-run.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneNetworks(
  client: Client,
  filters?: FilterMap,
  dryRun?: DryRun,
): Promise<NetworksPruned> {
  const query = { filters: encodeFilters(filters), ...dryRunQuery(dryRun) }
  return client.json({ method: 'POST', path: '/networks/prune', query })
}
