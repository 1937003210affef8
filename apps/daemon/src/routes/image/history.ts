import { HistoryItem, Type } from '@ctr/api'
import { route } from '../../http/route.ts'
import { renderHistory } from './render.ts'

export const imageHistoryRoute = route({
  method: 'GET',
  path: '/images/:id/history',
  summary: 'Show how an image was made',
  response: Type.Array(HistoryItem),
  handle: async ({ engine }, { id }) => engine.images.history(id).map(renderHistory),
})
