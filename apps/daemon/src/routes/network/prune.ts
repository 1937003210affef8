import { NetworksPruned, parseFilters } from '@ctr/api'
import { pruneNetworks } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { isPrunable } from './filter.ts'

export const pruneNetworksRoute = route({
  method: 'POST',
  path: '/networks/prune',
  summary: 'Remove networks that no container uses',
  query: { filters: 'string' },
  response: NetworksPruned,
  handle: async ({ engine }, { query }) => {
    const filters = parseFilters(query.filters, ['label', 'label!', 'until'])
    const pruned = await pruneNetworks(engine, (network) => isPrunable(network, filters))
    return { NetworksDeleted: pruned.length === 0 ? null : pruned.map(({ name }) => name) }
  },
})
