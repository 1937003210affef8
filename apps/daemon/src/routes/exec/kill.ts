import { signalExec } from '@ctr/engine'
import { route } from '../../http/route.ts'

/** Ours: Docker has no way to signal an exec. */
export const killExecRoute = route({
  method: 'POST',
  path: '/exec/:id/kill',
  summary: 'Send a signal to the process of an exec',
  query: { signal: 'string' },
  status: 204,
  handle: async ({ engine }, { id, query }) => signalExec(engine, id, query.signal ?? 'SIGKILL'),
})
