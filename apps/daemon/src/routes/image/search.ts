import { booleanFilter, ImageSearchResult, parseFilters, Type } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'
import { parseRegistryAuth } from './registry-auth.ts'

const FILTERS = ['is-automated', 'is-official', 'stars']
const DEFAULT_LIMIT = 25
const MAX_LIMIT = 100

export const searchImagesRoute = route({
  method: 'GET',
  path: '/images/search',
  summary: 'Search Docker Hub, or a registry that has /v1/search',
  query: { term: 'string', limit: 'integer', filters: 'string' },
  response: Type.Array(ImageSearchResult),
  handle: async ({ engine }, { query, headers, signal }) => {
    const filters = parseFilters(query.filters, FILTERS)
    const limit = query.limit || DEFAULT_LIMIT
    if (limit < 1 || limit > MAX_LIMIT) {
      const message = `limit ${limit} is outside the range of [1, ${MAX_LIMIT}]`
      throw new EngineError('INVALID_ARGUMENT', message)
    }
    const auth = parseRegistryAuth(headers['x-registry-auth'])
    const found = await engine.images.search(query.term ?? '', {
      limit,
      ...(auth === undefined ? {} : { auth }),
      signal,
    })
    const isOfficial = booleanFilter(filters, 'is-official')
    const isAutomated = booleanFilter(filters, 'is-automated')
    const stars = Math.max(0, ...(filters.get('stars') ?? []).map(parseStars))
    return found.filter(
      (result) =>
        (isOfficial === undefined || result.is_official === isOfficial) &&
        (isAutomated === undefined || result.is_automated === isAutomated) &&
        result.star_count >= stars,
    )
  },
})

function parseStars(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  throw new EngineError('INVALID_ARGUMENT', `invalid filter 'stars=[${text}]'`)
}
