import { pauseContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const pauseContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/pause',
  summary: 'Freeze all processes of a container',
  status: 204,
  handle: async ({ engine }, { id }) => pauseContainer(engine, id),
})
