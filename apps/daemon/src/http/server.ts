import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Readable, type Writable } from 'node:stream'
import type { TlsOptions } from 'node:tls'
import { EngineError } from '@ctr/errdefs'
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import type { Context } from '../context.ts'
import type { Log } from '../log.ts'
import { SERVER_HEADER } from '../version.ts'
import { API_VERSION, MAX_API_MINOR, parseApiVersion } from './api-version.ts'
import { offersBodyFile } from './body-file.ts'
import { answerBrokenRequest, MAX_HEADER_BYTES } from './broken-request.ts'
import { crossSiteRefusal } from './cross-site.ts'
import { asCancelled, errorAnswer, logError } from './error-answer.ts'
import { farewell } from './farewell.ts'
import { KEEP_ALIVE_S } from './front/answer.ts'
import { frontConnection } from './front/connection.ts'
import { servePlain } from './front/serve.ts'
import { frontRoutes } from './front/target.ts'
import { MAX_JSON_BYTES, parseJsonBody } from './json-body.ts'
import { jsonOf } from './json-text.ts'
import { parsePath } from './path.ts'
import { PlainFailure, PlainText } from './plain-text.ts'
import { parseQuery } from './query.ts'
import type { AnyRoute } from './route.ts'
import { ServedCall } from './served-call.ts'
import { declineUpgrade, handleUpgrade, isWebSocket, shouldUpgrade, upgradeOf } from './upgrade.ts'
import { useWebSockets, type WebSocketOpening, webSocketRoute } from './websocket.ts'

/** For the rest of a body that nobody wants. */
const REST_MS = 30_000
const SECOND_MS = 1000
/** A client that does not finish its headers is cut off. Bodies have no limit of time: `load` of a slow pipe. */
const HEADERS_TIMEOUT_MS = 30_000
/** Ids and references are short; the router's own limit is 100 characters. */
const MAX_PARAM_LENGTH = 8 * 1024

/** Its types know ajv's and fast-json-stringify's compilers only. */
const NO_COMPILERS = {
  buildValidator: () => () => () => true,
  buildSerializer: () => () => (value: unknown) => JSON.stringify(value),
} as unknown as NonNullable<
  NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']
>

/** Everything between a socket and the routes. */
export interface ApiServer {
  readonly app: FastifyInstance
  /** One HTTP server per address. */
  newListener(o?: ListenerOptions): Server
}

interface ListenerOptions {
  readonly tls?: TlsOptions
  /** Reached by TCP and not protected by TLS. */
  readonly isPlainTcp: boolean
  /** One that listens already, instead of a new one. */
  readonly server?: Server | undefined
}

/** Of Node's servers. */
export const SERVER_OPTIONS: ServerOptions = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE_S * SECOND_MS,
  shouldUpgradeCallback: shouldUpgrade,
} as ServerOptions

export async function buildApiServer(o: {
  routes: readonly AnyRoute[]
  context: Context
  log: Log
}): Promise<ApiServer> {
  const versions = new WeakMap<object, string>()
  /** Requests that came by TCP from what may be a web page: why they are refused. */
  const refusals = new WeakMap<object, string>()
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: MAX_JSON_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // Bodies are decoded in `parseJsonBody`, answers by JSON.stringify: neither ajv nor fast-json-stringify is loaded.
    schemaController: { compilersFactory: NO_COMPILERS },
    rewriteUrl: (request) => {
      const { version, url } = parsePath(request.url ?? '/')
      if (version !== undefined) versions.set(request, version)
      return url
    },
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply)
    },
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

  // Node does not read the body of an upgrade request; `handleUpgrade` has.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const upgrade = upgradeOf(request.raw)
    done(null, upgrade === undefined ? payload : Readable.from([upgrade.body]))
  })
  const oldest = new Map(
    o.routes.map((route) => [`${route.method} ${route.path}`, route.oldestApiMinor]),
  )
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers({
      'Api-Version': API_VERSION,
      'Docker-Experimental': 'true',
      Ostype: 'linux',
      Server: SERVER_HEADER,
    })
    if (isWebSocket(request.headers)) answerIsLast(request, reply)
    const refusal = refusals.get(request.raw)
    if (refusal !== undefined) throw new EngineError('FORBIDDEN', refusal)
    const version = versions.get(request.raw)
    if (version !== undefined) parseApiVersion(version, oldest.get(routeName(request)))
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    readRest(request.raw)
    o.log.debug(
      { method: request.method, url: request.originalUrl, status: reply.statusCode },
      'request',
    )
    done()
  })
  app.setNotFoundHandler((request, reply) =>
    // As dockerd, of every path. Without headers for other origins it lets no browser do anything.
    request.method === 'OPTIONS'
      ? reply.code(200).send()
      : sendMessage(reply, 404, 'page not found'),
  )
  app.setErrorHandler(answerError)

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const answer = errorAnswer(error instanceof PlainFailure ? error.cause : error)
    logError(o.log, answer.status, { err: error, code: answer.code, route: routeName(request) })
    // Without hooks: a URL that cannot be decoded.
    if (isWebSocket(request.headers)) answerIsLast(request, reply)
    if (answer.status === 304) return reply.code(304).send()
    // The rest of a body that was refused is not read.
    if (answer.status === 413) reply.header('Connection', 'close')
    if (error instanceof PlainFailure) {
      const headers = { Connection: 'close', 'Content-Type': error.contentType }
      return reply.code(answer.status).headers(headers).send(`${answer.message}\r\n`)
    }
    return sendMessage(reply, answer.status, answer.message)
  }

  await useWebSockets(app)
  for (const route of o.routes) {
    const serve = (
      request: FastifyRequest,
      reply: FastifyReply,
      opening?: WebSocketOpening,
    ): Promise<FastifyReply> => {
      if (route.takesConnection !== true) declineUpgrade(request.raw)
      const version = versions.get(request.raw) ?? `1.${MAX_API_MINOR}`
      const minor = parseApiVersion(version, route.oldestApiMinor)
      return serveRoute(
        route,
        o,
        new ServedCall(request, reply, {
          query: parseQuery(route.query ?? {}, request.query as Record<string, string>),
          body: parseBody(route, request),
          apiMinor: minor,
          webSocket: opening,
        }),
      )
    }
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => serve(request, reply),
      ...webSocketRoute(route, serve),
    })
  }
  await app.ready()
  const plain = frontRoutes(o.routes)
  const putFront = (server: Server): void => {
    const [serveByNode] = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', (socket) =>
      frontConnection(socket, {
        routes: plain,
        serve: (target, request, exchange) => servePlain(o, target, request, exchange),
        passOn: () => void serveByNode?.call(server, socket),
      }),
    )
  }
  const routing: typeof app.routing = (request, response) => app.routing(request, response)

  return {
    app,
    newListener: ({ tls, isPlainTcp, server: listening } = { isPlainTcp: false }) => {
      const check = (request: IncomingMessage): void => {
        if (tls === undefined && !isPlainTcp) return
        const refusal = crossSiteRefusal(request.headers, { isPlain: isPlainTcp })
        if (refusal !== undefined) refusals.set(request, refusal)
      }
      const serve = (request: IncomingMessage, response: ServerResponse): void => {
        check(request)
        routing(request, response)
      }
      const server: Server =
        tls === undefined
          ? (listening ?? createServer(SERVER_OPTIONS))
          : // Docker's clients end stdin by half-closing, with TLS too. Node's http does this by itself, https does not.
            createTlsServer({ ...SERVER_OPTIONS, ...tls, allowHalfOpen: true } as object)
      server.on('request', serve)
      // Bytes are counted, as in Go; Node refuses the thousandth header, too.
      server.maxHeadersCount = 0
      server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
        if (!offersBodyFile(request)) response.writeContinue()
        serve(request, response)
      })
      server.on('upgrade', (request, socket, head) => {
        check(request)
        // The plugin listens on Fastify's own server, which has no address.
        if (isWebSocket(request.headers)) app.server.emit('upgrade', request, socket, head)
        else handleUpgrade(routing, request, socket, head)
      })
      server.on('clientError', answerBrokenRequest)
      if (tls === undefined && !isPlainTcp) putFront(server)
      return server
    },
  }
}

/** An ordinary answer to what should have become a WebSocket is the connection's last; Node leaves ending it to us. */
function answerIsLast(request: FastifyRequest, reply: FastifyReply): void {
  reply.raw.shouldKeepAlive = false
  reply.raw.once('finish', () => farewell(request.raw.socket))
}

function sendMessage(reply: FastifyReply, status: number, message: string): FastifyReply {
  // The docker CLI shows `message` only if the type says JSON.
  return reply
    .code(status)
    .header('Content-Type', 'application/json')
    .send(Buffer.from(`${JSON.stringify({ message })}\n`))
}

/** Runs a handler and answers with its value. */
async function serveRoute(
  route: AnyRoute,
  o: { readonly context: Context; readonly log: Log },
  call: ServedCall,
): Promise<FastifyReply> {
  const begin = performance.now()
  const { request, reply } = call
  try {
    const answer = await route.handle(o.context, call)
    o.context.metrics?.observe(route.method, route.path, performance.now() - begin)
    if (reply.sent || call.stream !== undefined) return reply
    if (answer instanceof PlainText) {
      reply.header('Content-Type', 'text/plain; charset=utf-8')
      return reply.code(route.status ?? 200).send(answer.text)
    }
    if (answer === undefined) return reply.code(route.status ?? 204).send()
    reply.header('Content-Type', 'application/json')
    return reply.code(route.status ?? 200).send(Buffer.from(`${jsonOf(answer)}\n`))
  } catch (error) {
    const reason = asCancelled(error, call.isClientGone)
    if (!reply.sent) throw reason
    endBrokenStream(request, call.stream, reason, o.log)
    return reply
  }
}

function parseBody(route: AnyRoute, request: FastifyRequest): unknown {
  if (route.body === undefined) return undefined
  const { body } = request
  const contentType = request.headers['content-type']
  const isOptional = route.isBodyOptional ?? false
  // A stream has not been read: it is of another content type.
  if (body instanceof Readable) {
    body.resume()
    return parseJsonBody(route.body, { bytes: Buffer.from(' '), contentType, isOptional })
  }
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
  return parseJsonBody(route.body, { bytes, contentType, isOptional })
}

/**
 * Of a body that was not read to its end (an archive that was refused at its beginning). Many a client reads the answer only
 * when it has sent all; it would wait, and then learn that the connection is gone. Not for ever: the body may have no end.
 */
function readRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  // It flows already; or nobody has begun to read it, and Node drops it, or another protocol has come.
  if (request.readableFlowing === true || !request.readableDidRead) return
  const { socket } = request
  const deadline = setTimeout(() => socket.destroy(), REST_MS)
  const isRead = (): void => clearTimeout(deadline)
  // Who has been reading by an iterator, and has not ended it, would keep it from flowing.
  request.removeAllListeners('readable').once('end', isRead).once('close', isRead).resume()
}

/** An error after the headers were sent: the client learns of it by the end of the stream. */
function endBrokenStream(
  request: FastifyRequest,
  stream: Writable | undefined,
  error: unknown,
  log: Log,
): void {
  const answer = errorAnswer(error)
  logError(log, answer.status, { err: error, code: answer.code, route: routeName(request) })
  if (stream === undefined) request.raw.socket.destroy()
  // What has ended may still be on its way out.
  else if (!stream.writableEnded) stream.destroy(error as Error)
}

function routeName(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? request.url}`
}
