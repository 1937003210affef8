import { ContainerSummary, parseFilters, Type } from '@ctr/api'
import {
  CONTAINER_FILTERS,
  type ContainerRecord,
  containerSize,
  type Engine,
  listContainers,
} from '@ctr/engine'
import { JsonText } from '../../http/json-text.ts'
import { route } from '../../http/route.ts'
import { renderSummary, summaryText } from './render-summary.ts'

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
    const imageName = imageNames(engine)
    const named = containers.map(({ record, ...others }) => ({
      record,
      shown: { ...others, imageReference: imageName(record) },
    }))
    if (!query.size) {
      const texts = named.map(({ record, shown }) => summaryText(record, shown, apiMinor))
      return new JsonText(`[${texts.join(',')}]`)
    }
    return await Promise.all(
      named.map(async ({ record, shown }) =>
        renderSummary({ ...record, ...shown }, apiMinor, await containerSize(engine, record.id)),
      ),
    )
  },
})

/** A name that stands for another image by now is not the container's: its image's id is. moby daemon/list.go refreshImage */
function imageNames(engine: Pick<Engine, 'images'>): (container: ContainerRecord) => string {
  const ids = new Map<string, string | undefined>()
  const idOf = (reference: string): string | undefined => {
    if (!ids.has(reference)) ids.set(reference, engine.images.find(reference)?.id)
    return ids.get(reference)
  }
  return ({ imageId, imageReference }) => {
    // Without an image it is a directory's path.
    const isOwn = imageId === '' || idOf(imageReference) === imageId
    return isOwn ? imageReference : imageId
  }
}
