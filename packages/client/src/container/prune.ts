import type { ContainersPruned } from '@ctr/api'
import type { Client } from '../client.ts'
import { encodeFilters, type FilterMap } from '../filters.ts'

export function pruneContainers(client: Client, filters?: FilterMap): Promise<ContainersPruned> {
  const query = { filters: encodeFilters(filters) }
  return client.json({ method: 'POST', path: '/containers/prune', query })
}
