import { unpauseContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const unpauseContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/unpause',
  summary: 'Let the processes of a paused container go on',
  status: 204,
  handle: async ({ engine }, { id }) => unpauseContainer(engine, id),
})
