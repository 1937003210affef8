import { startContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const startContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/start',
  summary: 'Start a container',
  query: { detachKeys: 'string', checkpoint: 'string', 'checkpoint-dir': 'string' },
  status: 204,
  handle: async ({ engine }, { id, query }) => {
    const { checkpoint: name, 'checkpoint-dir': directory = '' } = query
    return startContainer(engine, id, name === undefined ? {} : { checkpoint: { name, directory } })
  },
})
