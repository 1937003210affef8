import { removeNetwork } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const removeNetworkRoute = route({
  method: 'DELETE',
  path: '/networks/:id',
  summary: 'Remove a network that no container uses',
  status: 204,
  handle: async ({ engine }, { id }) => {
    await removeNetwork(engine, id)
    return undefined
  },
})
