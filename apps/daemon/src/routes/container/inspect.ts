import { ContainerInspect } from '@ctr/api'
import { containerPlaces, containerSize, getContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderInspect } from './render.ts'

export const inspectContainerRoute = route({
  method: 'GET',
  path: '/containers/:id/json',
  summary: 'Inspect a container',
  query: { size: 'boolean' },
  response: ContainerInspect,
  handle: async ({ engine }, { id, query, apiMinor }) => {
    const container = getContainer(engine, id)
    const sizes = query.size ? await containerSize(engine, container.id) : undefined
    const places = containerPlaces(engine, container)
    const { dataRoot, defaultUlimits } = engine.config
    return renderInspect(container, apiMinor, { dataRoot, defaultUlimits, sizes, places })
  },
})
