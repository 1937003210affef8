import { restartContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { stopOptions } from './stop-options.ts'

export const restartContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/restart',
  summary: 'Stop a container if it runs, and start it',
  query: { signal: 'string', t: 'integer' },
  status: 204,
  handle: async ({ engine }, { id, query, apiMinor }) =>
    restartContainer(engine, id, stopOptions(query, apiMinor)),
})
