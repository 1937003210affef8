import type { VolumesPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneVolumes(client: Client, filters?: FilterMap): Promise<VolumesPruned> {
  const query = { filters: encodeFilters(filters) }
  return client.json({ method: 'POST', path: '/volumes/prune', query })
}
