import { HistoryItem, Type } from '@ctr/api'
import { assertPlatform } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { parseOciPlatform } from './oci-platform.ts'
import { renderHistory } from './render.ts'

export const imageHistoryRoute = route({
  method: 'GET',
  path: '/images/:id/history',
  summary: 'Show how an image was made',
  query: { platform: 'string' },
  response: Type.Array(HistoryItem),
  handle: async ({ engine }, { id, query, apiMinor }) => {
    if (apiMinor >= 48) {
      assertPlatform(engine.images.get(id).config, id, parseOciPlatform(query.platform))
    }
    return engine.images.history(id).map(renderHistory)
  },
})
