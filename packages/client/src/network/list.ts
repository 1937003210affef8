import type { Network } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function listNetworks(client: Client, filters?: FilterMap): Promise<Network[]> {
  return client.json({
    method: 'GET',
    path: '/networks',
    query: { filters: encodeFilters(filters) },
  })
}
