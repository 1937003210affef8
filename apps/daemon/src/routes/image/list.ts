import { ImageSummary, parseFilters, Type } from '@ctr/api'
import { listContainers } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderImageSummary } from './render.ts'

const FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until']

export const listImagesRoute = route({
  method: 'GET',
  path: '/images/json',
  summary: 'List images',
  query: {
    all: 'boolean',
    digests: 'boolean',
    'shared-size': 'boolean',
    filter: 'string',
    filters: 'string',
  },
  response: Type.Array(ImageSummary),
  handle: async ({ engine }, { query, apiMinor }) => {
    const filters = new Map(parseFilters(query.filters, FILTERS))
    // `?filter=busybox` of clients before v1.28.
    if (apiMinor < 28 && query.filter !== undefined) filters.set('reference', [query.filter])
    const images = engine.images.list({ all: query.all, filters })
    // Docker counts containers only for `system df`; here it costs nothing, but -1 is what clients know.
    const summaries = images.map((image) => renderImageSummary(image, apiMinor, { containers: -1 }))
    if (!query['shared-size']) return summaries
    const shared = engine.images.sharedSizes(images.map(({ id }) => id))
    return summaries.map((each) => ({ ...each, SharedSize: shared.get(each.Id) ?? 0 }))
  },
})

/** Number of containers of an image, running or not. */
export function containersOf(
  engine: Parameters<typeof listContainers>[0],
  imageId: string,
): number {
  const all = listContainers(engine, { all: true, limit: 0, filters: new Map() })
  return all.filter((container) => container.imageId === imageId).length
}
