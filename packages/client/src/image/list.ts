import type { ImageSummary } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function listImages(
  client: Client,
  options: {
    readonly all?: boolean
    readonly digests?: boolean
    readonly manifests?: boolean
    readonly filters?: FilterMap
  } = {},
): Promise<ImageSummary[]> {
  const { all, digests, manifests } = options
  const query = { all, digests, manifests, filters: encodeFilters(options.filters) }
  return client.json({ method: 'GET', path: '/images/json', query })
}
