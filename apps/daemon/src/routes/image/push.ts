import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const pushImageRoute = route({
  method: 'POST',
  path: '/images/:id/push',
  summary: 'Push an image to its registry',
  query: { tag: 'string', platform: 'string' },
  status: 200,
  handle: async ({ engine }, { id, query }) => {
    engine.images.get(query.tag === undefined ? id : `${id}:${query.tag}`)
    throw new EngineError('NOT_IMPLEMENTED', 'push is not implemented yet')
  },
})
