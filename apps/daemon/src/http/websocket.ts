import type { Duplex } from 'node:stream'
import { EngineError } from '@ctr/errdefs'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AnyRoute } from './route.ts'
import { WebSocketDuplex } from './websocket-duplex.ts'

/** Of one message from a client: stdin, at most what somebody pastes. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** A WebSocket request whose route has not asked for the stream yet. */
export interface WebSocketOpening {
  /** Accepts: the handshake follows, and then the stream. Rejects if it fails. */
  open(o: MessageOptions): Promise<Duplex>
}

interface MessageOptions {
  /** Of what we send. */
  readonly isText: boolean
}

export async function useWebSockets(app: FastifyInstance): Promise<void> {
  await app.register(fastifyWebsocket, {
    options: { clientTracking: false, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false },
  })
}

/**
 * The plugin shakes hands before it calls a handler. Ours run first, as a preHandler, until they ask for the stream: what
 * goes wrong until then (no such container) is an ordinary answer, as with any other request.
 */
export function webSocketRoute(
  route: AnyRoute,
  serve: (
    request: FastifyRequest,
    reply: FastifyReply,
    opening?: WebSocketOpening,
  ) => Promise<unknown>,
): object {
  if (route.webSocket === undefined) {
    return { onRequest: async (request: FastifyRequest) => refuseWebSocket(request, route) }
  }
  const waiting = new WeakMap<FastifyRequest, (socket: fastifyWebsocket.WebSocket) => void>()
  return {
    preHandler: async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      if (!request.ws) {
        if (route.webSocket === 'only') {
          throw new EngineError('INVALID_ARGUMENT', 'this endpoint needs a WebSocket')
        }
        return undefined
      }
      const asked = Promise.withResolvers<void>()
      const open = (o: MessageOptions): Promise<Duplex> => {
        const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
        // A handshake that is refused ends the connection, and so does a client that goes away.
        request.raw.socket.once('close', () =>
          reject(new EngineError('CANCELLED', 'the WebSocket was not opened')),
        )
        waiting.set(request, (socket) => resolve(new WebSocketDuplex(socket, o)))
        asked.resolve()
        return promise
      }
      const served = serve(request, reply, { open })
      return await Promise.race([asked.promise, served])
    },
    wsHandler: (socket: fastifyWebsocket.WebSocket, request: FastifyRequest) => {
      waiting.get(request)?.(socket)
    },
  }
}

/** The plugin would shake hands and close. */
function refuseWebSocket(request: FastifyRequest, route: AnyRoute): void {
  if (!request.ws) return
  throw new EngineError('INVALID_ARGUMENT', `${route.path} cannot be a WebSocket`)
}
