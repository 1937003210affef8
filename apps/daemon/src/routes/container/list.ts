import { ContainerSummary, parseFilters, Type } from '@ctr/api'
import { containerSize, listContainers } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderSummary } from './render.ts'

const FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
]

export const listContainersRoute = route({
  method: 'GET',
  path: '/containers/json',
  summary: 'List containers',
  query: { all: 'boolean', limit: 'integer', size: 'boolean', filters: 'string' },
  response: Type.Array(ContainerSummary),
  handle: async ({ engine }, { query, apiMinor }) => {
    const containers = listContainers(engine, {
      all: query.all,
      limit: query.limit ?? 0,
      filters: parseFilters(query.filters, FILTERS),
    })
    if (!query.size) return containers.map((container) => renderSummary(container, apiMinor))
    return await Promise.all(
      containers.map(async (container) =>
        renderSummary(container, apiMinor, await containerSize(engine, container.id)),
      ),
    )
  },
})
