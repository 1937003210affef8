import type { VolumeList } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function listVolumes(client: Client, filters?: FilterMap): Promise<VolumeList> {
  return client.json({
    method: 'GET',
    path: '/volumes',
    query: { filters: encodeFilters(filters) },
  })
}
