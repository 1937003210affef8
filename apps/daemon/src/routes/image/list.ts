import { ImageSummary, parseFilters, Type } from '@ctr/api'
import type { Engine } from '@ctr/engine'
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
    // `?filter=busybox` until v1.40.
    if (apiMinor < 41 && query.filter !== undefined) filters.set('reference', [query.filter])
    const images = engine.images.list({ all: query.all, filters })
    const users = apiMinor < 51 ? undefined : containersByImage(engine)
    const summaries = images.map((image) =>
      renderImageSummary(image, apiMinor, {
        // Until v1.50 only `system df` counts them.
        containers: users === undefined ? -1 : (users.get(image.id) ?? 0),
      }),
    )
    // `shared-size` is of v1.42.
    if (!query['shared-size'] || apiMinor < 42) return summaries
    const shared = engine.images.sharedSizes(images.map(({ id }) => id))
    return summaries.map((each) => ({ ...each, SharedSize: shared.get(each.Id) ?? 0 }))
  },
})

/** How many containers each image has, running or not. */
function containersByImage(engine: Pick<Engine, 'containers'>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { imageId } of engine.containers.all()) {
    counts.set(imageId, (counts.get(imageId) ?? 0) + 1)
  }
  return counts
}
