import { ContainersPruned, parseFilters } from '@ctr/api'
import { pruneContainers } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { PRUNE_QUERY, pruneOptions } from '../prune-options.ts'

export const pruneContainersRoute = route({
  method: 'POST',
  path: '/containers/prune',
  summary: 'Remove all stopped containers',
  query: { filters: 'string', ...PRUNE_QUERY },
  response: ContainersPruned,
  handle: async ({ engine }, { query }) => {
    const filters = parseFilters(query.filters, ['label', 'label!', 'until'])
    const { ids, spaceReclaimed } = await pruneContainers(engine, filters, pruneOptions(query))
    return { ContainersDeleted: ids.length === 0 ? null : [...ids], SpaceReclaimed: spaceReclaimed }
  },
})
