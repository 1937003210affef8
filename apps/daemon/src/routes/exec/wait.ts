import { Type } from '@ctr/api'
import { keepExec, waitExec } from '@ctr/engine'
import { route } from '../../http/route.ts'

/** Ours. With `hold` the exec ends with this connection: a client that dies leaves nothing behind. */
export const waitExecRoute = route({
  method: 'POST',
  path: '/exec/:id/wait',
  summary: 'Block until an exec has ended; with hold, hang it up if the client goes before',
  query: { hold: 'boolean' },
  response: Type.Object({ StatusCode: Type.Integer() }),
  handle: async ({ engine }, { id, query, signal }) => ({
    StatusCode: await waitExec(engine, id, query.hold, signal),
  }),
})

/** Ours: before a client that holds an exec leaves it on purpose. */
export const keepExecRoute = route({
  method: 'POST',
  path: '/exec/:id/keep',
  summary: 'Let an exec go on when the client that holds it goes',
  status: 204,
  handle: async ({ engine }, { id }) => keepExec(engine, id),
})
