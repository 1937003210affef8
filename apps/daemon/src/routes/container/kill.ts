import { killContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const killContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/kill',
  summary: 'Send a signal to the process of a container',
  query: { signal: 'string' },
  status: 204,
  handle: async ({ engine }, { id, query }) => killContainer(engine, id, query.signal ?? 'SIGKILL'),
})
