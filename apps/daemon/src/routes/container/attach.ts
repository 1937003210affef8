import { attachContainer } from '@ctr/engine'
import type { Context } from '../../context.ts'
import { parseDetachKeys } from '../../http/detach-keys.ts'
import { type Call, route } from '../../http/route.ts'
import { serveStdio } from '../../http/stdio.ts'

const QUERY = {
  detachKeys: 'string',
  logs: 'boolean',
  stream: 'boolean',
  stdin: 'boolean',
  stdout: 'boolean',
  stderr: 'boolean',
} as const

export const attachContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/attach',
  summary: 'Join the standard streams of a container (HTTP upgrade to tcp)',
  query: QUERY,
  status: 200,
  handle: attach,
})

export const attachWebSocketRoute = route({
  method: 'GET',
  path: '/containers/:id/attach/ws',
  summary: 'Join the standard streams of a container over a WebSocket, without frames',
  query: QUERY,
  webSocket: 'only',
  status: 200,
  handle: attach,
})

async function attach(
  { engine, log }: Context,
  call: Call<typeof QUERY, undefined>,
): Promise<void> {
  const { logs, stream, stdin, stdout, stderr } = call.query
  const detachKeys = parseDetachKeys(call.query.detachKeys)
  const session = await attachContainer(engine, call.id, { logs, stream, stdin, stdout, stderr })
  const outcome = await serveStdio(call, session, { stdin: stdin && stream, detachKeys })
  log.debug({ containerId: call.id, outcome }, 'attach')
}
