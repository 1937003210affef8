import { Network, parseFilters, Type } from '@ctr/api'
import { route } from '../../http/route.ts'
import { matchesNetwork, NETWORK_FILTERS } from './filter.ts'
import { renderNetwork } from './render.ts'

export const listNetworksRoute = route({
  method: 'GET',
  path: '/networks',
  summary: 'List networks',
  query: { filters: 'string' },
  response: Type.Array(Network),
  handle: async ({ engine: { networks } }, { query, apiMinor }) => {
    const filters = parseFilters(query.filters, NETWORK_FILTERS)
    const isUsed = (id: string): boolean => networks.endpointsOfNetwork(id).length > 0
    return networks
      .list()
      .filter((network) => matchesNetwork(network, filters, isUsed))
      .map((network) =>
        // Lists name no containers since v1.28.
        renderNetwork(
          network,
          apiMinor < 28 ? networks.endpointsOfNetwork(network.id) : [],
          apiMinor,
        ),
      )
  },
})
