import { attachExec } from '@ctr/engine'
import { parseDetachKeys } from '../../http/detach-keys.ts'
import { route } from '../../http/route.ts'
import { serveStdio } from '../../http/stdio.ts'

/** Ours: Docker gives the streams of an exec only to who starts it. */
export const attachExecRoute = route({
  method: 'POST',
  path: '/exec/:id/attach',
  summary: 'Join the standard streams of a running exec (HTTP upgrade to tcp)',
  takesConnection: true,
  query: { detachKeys: 'string', stdin: 'boolean', stdout: 'boolean', stderr: 'boolean' },
  status: 200,
  handle: async ({ engine }, call) => {
    const { stdin, stdout, stderr } = call.query
    const detachKeys = parseDetachKeys(call.query.detachKeys)
    const session = await attachExec(engine, call.id, { stdin, stdout, stderr })
    await serveStdio(call, session, { stdin, detachKeys })
  },
})
