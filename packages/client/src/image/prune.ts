import type { ImagesPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneImages(client: Client, filters?: FilterMap): Promise<ImagesPruned> {
  const query = { filters: encodeFilters(filters) }
  return client.json({ method: 'POST', path: '/images/prune', query })
}
