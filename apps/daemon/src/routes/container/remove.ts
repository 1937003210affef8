import { removeContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const removeContainerRoute = route({
  method: 'DELETE',
  path: '/containers/:id',
  summary: 'Remove a container',
  query: { v: 'boolean', force: 'boolean', link: 'boolean' },
  status: 204,
  handle: async ({ engine }, { id, query }) =>
    removeContainer(engine, id, { force: query.force, volumes: query.v, link: query.link }),
})
