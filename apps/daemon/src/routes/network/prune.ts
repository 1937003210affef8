import { NetworksPruned, parseFilters } from '@ctr/api'
import { pruneNetworks } from '@ctr/engine'
import type { Network } from '@ctr/network'
import { route } from '../../http/route.ts'
import { PRUNE_QUERY, pruneOptions } from '../prune-options.ts'
import { isPrunable, validateUntil } from './filter.ts'

export const pruneNetworksRoute = route({
  method: 'POST',
  path: '/networks/prune',
  summary: 'Remove networks that no container uses',
  query: { filters: 'string', ...PRUNE_QUERY },
  response: NetworksPruned,
  handle: async ({ engine }, { query }) => {
    const filters = parseFilters(query.filters, ['label', 'label!', 'until'])
    validateUntil(filters)
    const isWanted = (network: Network): boolean => isPrunable(network, filters)
    const pruned = await pruneNetworks(engine, isWanted, pruneOptions(query))
    return { NetworksDeleted: pruned.length === 0 ? null : pruned.map(({ name }) => name) }
  },
})
