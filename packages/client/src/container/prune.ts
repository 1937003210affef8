import type { ContainersPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { type DryRun, dryRunQuery } from '../dry-run.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneContainers(
  client: Client,
  filters?: FilterMap,
  dryRun?: DryRun,
): Promise<ContainersPruned> {
  const query = { filters: encodeFilters(filters), ...dryRunQuery(dryRun) }
  return client.json({ method: 'POST', path: '/containers/prune', query })
}
