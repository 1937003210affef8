import { killContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const killContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/kill',
  summary: 'Send a signal to the process of a container',
  query: { signal: 'string' },
  status: 204,
  handle: async ({ engine }, { id, query }) => {
    try {
      await killContainer(engine, id, query.signal ?? 'SIGKILL')
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const message = `cannot kill container: ${id}: ${error.message}`
      throw new EngineError(error.code, message, { cause: error })
    }
  },
})
