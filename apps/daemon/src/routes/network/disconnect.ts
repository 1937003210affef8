import { NetworkDisconnect } from '@ctr/api'
import { disconnectNetwork } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const disconnectNetworkRoute = route({
  method: 'POST',
  path: '/networks/:id/disconnect',
  summary: 'Take a container off a network',
  body: NetworkDisconnect,
  status: 200,
  handle: async ({ engine }, { id, body }) => {
    await disconnectNetwork(engine, id, body.Container ?? '', { force: body.Force ?? false })
    return undefined
  },
})
