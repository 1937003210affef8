import type { ImageSummary } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function listImages(
  client: Client,
  options: {
    readonly all?: boolean
    readonly digests?: boolean
    readonly filters?: FilterMap
  } = {},
): Promise<ImageSummary[]> {
  const { all, digests } = options
  const query = { all, digests, filters: encodeFilters(options.filters) }
  return client.json({ method: 'GET', path: '/images/json', query })
}
