import { booleanFilter, parseFilters, VolumesPruned } from '@ctr/api'
import { pruneVolumes } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { PRUNE_QUERY, pruneOptions } from '../prune-options.ts'

export const pruneVolumesRoute = route({
  method: 'POST',
  path: '/volumes/prune',
  summary: 'Remove volumes that no container uses: anonymous ones, or all',
  query: { filters: 'string', ...PRUNE_QUERY },
  response: VolumesPruned,
  handle: async ({ engine }, { query, apiMinor }) => {
    const filters = parseFilters(query.filters, ['all', 'label', 'label!'])
    // Until v1.41 prune took named volumes along.
    const wantsAll = booleanFilter(filters, 'all') === true
    const all = apiMinor < 42 || wantsAll
    const { names, spaceReclaimed } = await pruneVolumes(engine, {
      all,
      filters,
      ...pruneOptions(query),
    })
    return {
      VolumesDeleted: names.length === 0 ? null : [...names],
      SpaceReclaimed: spaceReclaimed,
    }
  },
})
