import { ContainerSummary, parseFilters, Type } from '@ctr/api'
import {
  CONTAINER_FILTERS,
  type Container,
  containerSize,
  type Engine,
  listContainers,
} from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderSummary } from './render.ts'

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
      filters: parseFilters(query.filters, CONTAINER_FILTERS),
    })
    const named = withImageNames(engine, containers)
    if (!query.size) return named.map((container) => renderSummary(container, apiMinor))
    return await Promise.all(
      named.map(async (container) =>
        renderSummary(container, apiMinor, await containerSize(engine, container.id)),
      ),
    )
  },
})

/** A name that stands for another image by now is not the container's: its image's id is. moby daemon/list.go refreshImage */
function withImageNames(
  engine: Pick<Engine, 'images'>,
  containers: readonly Container[],
): Container[] {
  const ids = new Map<string, string | undefined>()
  const idOf = (reference: string): string | undefined => {
    if (!ids.has(reference)) ids.set(reference, engine.images.find(reference)?.id)
    return ids.get(reference)
  }
  return containers.map((container) => {
    const { imageId, imageReference } = container
    // Without an image it is a directory's path.
    const isOwn = imageId === '' || idOf(imageReference) === imageId
    return isOwn ? container : { ...container, imageReference: imageId }
  })
}
