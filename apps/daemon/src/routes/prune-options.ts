import type { PruneOptions } from '@ctr/engine'
import type { QueryOf } from '../http/query.ts'

/** Ours, for every prune: tell what would go, and after which containers. */
export const PRUNE_QUERY = { 'dry-run': 'boolean', 'without-containers': 'string' } as const

export function pruneOptions(query: QueryOf<typeof PRUNE_QUERY>): PruneOptions {
  return {
    isDryRun: query['dry-run'] === true,
    withoutContainers: new Set((query['without-containers'] ?? '').split(',')),
  }
}
