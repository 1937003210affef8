import { ImagesPruned, parseFilters } from '@ctr/api'
import { pruneImages } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { PRUNE_QUERY, pruneOptions } from '../prune-options.ts'

export const pruneImagesRoute = route({
  method: 'POST',
  path: '/images/prune',
  summary: 'Remove images that nothing uses',
  query: { filters: 'string', ...PRUNE_QUERY },
  response: ImagesPruned,
  handle: async ({ engine }, { query }) => {
    const filters = parseFilters(query.filters, ['dangling', 'label', 'label!', 'until'])
    const { deleted, spaceReclaimed } = pruneImages(engine, filters, pruneOptions(query))
    return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: spaceReclaimed }
  },
})
