import { startContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const startContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/start',
  summary: 'Start a container',
  query: { detachKeys: 'string' },
  status: 204,
  handle: async ({ engine }, { id }) => startContainer(engine, id),
})
