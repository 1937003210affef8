import type { NetworksPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneNetworks(client: Client, filters?: FilterMap): Promise<NetworksPruned> {
  const query = { filters: encodeFilters(filters) }
  return client.json({ method: 'POST', path: '/networks/prune', query })
}
