import { Network } from '@ctr/api'
import { route } from '../../http/route.ts'
import { renderNetwork } from './render.ts'

export const inspectNetworkRoute = route({
  method: 'GET',
  path: '/networks/:id',
  summary: 'Inspect a network',
  query: { verbose: 'boolean', scope: 'string' },
  response: Network,
  handle: async ({ engine: { networks } }, { id, apiMinor }) => {
    const network = networks.get(id)
    return renderNetwork(network, networks.endpointsOfNetwork(network.id), apiMinor)
  },
})
