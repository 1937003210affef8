import { ContainersPruned, parseFilters } from '@ctr/api'
import { pruneContainers } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const pruneContainersRoute = route({
  method: 'POST',
  path: '/containers/prune',
  summary: 'Remove all stopped containers',
  query: { filters: 'string' },
  response: ContainersPruned,
  handle: async ({ engine }, { query }) => {
    const filters = parseFilters(query.filters, ['label', 'label!', 'until'])
    const { ids, spaceReclaimed } = await pruneContainers(engine, filters)
    return { ContainersDeleted: ids.length === 0 ? null : [...ids], SpaceReclaimed: spaceReclaimed }
  },
})
