import { type AttachSession, attachContainer, getContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../../context.ts'
import { parseDetachKeys } from '../../http/detach-keys.ts'
import { PlainFailure } from '../../http/plain-text.ts'
import { type Call, route } from '../../http/route.ts'
import { RAW_STREAM, serveStdio } from '../../http/stdio.ts'

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
  takesConnection: true,
  query: QUERY,
  status: 200,
  handle: async (context, call) => {
    const opened = await open(context, call).catch((error: unknown) => {
      throw new PlainFailure(error, RAW_STREAM)
    })
    await serve(context, call, opened)
  },
})

export const attachWebSocketRoute = route({
  method: 'GET',
  path: '/containers/:id/attach/ws',
  summary: 'Join the standard streams of a container over a WebSocket, without frames',
  query: QUERY,
  webSocket: 'also',
  status: 200,
  handle: async (context, call) => {
    if (!call.isWebSocket) {
      // An unknown container is told first, as in moby.
      getContainer(context.engine, call.id)
      throw new EngineError('INVALID_ARGUMENT', 'this endpoint needs a WebSocket')
    }
    await serve(context, call, await open(context, call))
  },
})

interface Opened {
  readonly session: AttachSession
  readonly stdin: boolean
  readonly detachKeys: ReturnType<typeof parseDetachKeys>
}

async function open({ engine }: Context, call: Call<typeof QUERY, undefined>): Promise<Opened> {
  const { logs, stream } = call.query
  const { stdin, stdout, stderr } = streamsOf(call)
  const detachKeys = parseDetachKeys(call.query.detachKeys)
  const session = await attachContainer(engine, call.id, { logs, stream, stdin, stdout, stderr })
  return { session, stdin: stdin && stream, detachKeys }
}

async function serve(
  { log }: Context,
  call: Call<typeof QUERY, undefined>,
  { session, stdin, detachKeys }: Opened,
): Promise<void> {
  const outcome = await serveStdio(call, session, { stdin, detachKeys })
  log.debug({ containerId: call.id, outcome }, 'attach')
}

/** A WebSocket had all three, whatever was said, until v1.41. moby api/server/router/container wsContainersAttach */
function streamsOf({ isWebSocket, apiMinor, query }: Call<typeof QUERY, undefined>): {
  stdin: boolean
  stdout: boolean
  stderr: boolean
} {
  if (isWebSocket && apiMinor < 42) return { stdin: true, stdout: true, stderr: true }
  return query
}
