import { ExecStart } from '@ctr/api'
import { getExec, startExec } from '@ctr/engine'
import type { Context } from '../../context.ts'
import { parseDetachKeys } from '../../http/detach-keys.ts'
import { type Call, route } from '../../http/route.ts'
import { serveStdio } from '../../http/stdio.ts'

export const startExecRoute = route({
  method: 'POST',
  path: '/exec/:id/start',
  summary: 'Start an exec, and join its streams (HTTP upgrade to tcp) unless detached',
  takesConnection: true,
  body: ExecStart,
  status: 200,
  handle: async (context, call) => {
    if (call.body.Detach !== true) return await serveExec(context, call, call.body)
    await startExec(context.engine, call.id, { detach: true, tty: call.body.Tty ?? false })
    return undefined
  },
})

/** Ours: browsers cannot POST an upgrade. The terminal's size comes from the query. */
export const startExecWebSocketRoute = route({
  method: 'GET',
  path: '/exec/:id/start',
  summary: 'Start an exec and join its streams over a WebSocket, without frames',
  query: { h: 'integer', w: 'integer' },
  webSocket: 'only',
  status: 200,
  handle: async (context, call) => {
    const { h, w } = call.query
    const size = h === undefined || w === undefined ? {} : { ConsoleSize: [h, w] }
    const { config } = getExec(context.engine, call.id)
    await serveExec(context, call, { Tty: config.Tty ?? false, ...size })
  },
})

async function serveExec({ engine }: Context, call: Call, body: ExecStart): Promise<void> {
  const { config } = getExec(engine, call.id)
  const [rows, columns] = call.apiMinor < 42 ? [] : (body.ConsoleSize ?? [])
  const session = await startExec(engine, call.id, {
    detach: false,
    tty: body.Tty ?? config.Tty ?? false,
    ...(rows === undefined || columns === undefined ? {} : { consoleSize: { rows, columns } }),
  })
  if (session === undefined) return
  await serveStdio(call, session, {
    stdin: config.AttachStdin ?? false,
    detachKeys: parseDetachKeys(config.DetachKeys),
  })
}
