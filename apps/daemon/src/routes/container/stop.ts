import { stopContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { stopOptions } from './stop-options.ts'

export const stopContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/stop',
  summary: 'Stop a container: its stop signal, and SIGKILL after a timeout',
  query: { signal: 'string', t: 'integer' },
  status: 204,
  handle: async ({ engine }, { id, query, apiMinor }) =>
    stopContainer(engine, id, stopOptions(query, apiMinor)),
})
