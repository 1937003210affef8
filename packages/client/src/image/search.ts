import type { ImageSearchResult } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function searchImages(
  client: Client,
  options: {
    readonly term: string
    /** Absent: 25. */
    readonly limit?: number | undefined
    readonly filters?: FilterMap
    /** `X-Registry-Auth`: base64url of an AuthConfig. */
    readonly auth?: string | undefined
  },
): Promise<ImageSearchResult[]> {
  const { term, limit, filters, auth } = options
  return client.json({
    method: 'GET',
    path: '/images/search',
    query: { term, limit, filters: encodeFilters(filters) },
    ...(auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } }),
  })
}
