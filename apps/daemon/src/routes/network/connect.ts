import { NetworkConnect } from '@ctr/api'
import { connectNetwork } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const connectNetworkRoute = route({
  method: 'POST',
  path: '/networks/:id/connect',
  summary: 'Connect a container to a network',
  body: NetworkConnect,
  status: 200,
  handle: async ({ engine }, { id, body }) => {
    await connectNetwork(engine, id, body.Container ?? '', body.EndpointConfig ?? {})
    return undefined
  },
})
