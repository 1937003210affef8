import type { ContainerSummary } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function listContainers(
  client: Client,
  options: {
    readonly all?: boolean
    readonly limit?: number | undefined
    readonly size?: boolean
    readonly filters?: FilterMap | undefined
  } = {},
): Promise<ContainerSummary[]> {
  const { all, limit, size } = options
  const query = { all, limit, size, filters: encodeFilters(options.filters) }
  return client.json({ method: 'GET', path: '/containers/json', query })
}
