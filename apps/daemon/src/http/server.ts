import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { Readable, type Writable } from 'node:stream'
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
import { errorAnswer } from './error-answer.ts'
import { MAX_JSON_BYTES, parseJsonBody } from './json-body.ts'
import { parsePath } from './path.ts'
import { PlainText } from './plain-text.ts'
import { parseQuery } from './query.ts'
import type { AnyRoute, Call } from './route.ts'
import { openOutput, takeOver } from './stream.ts'
import { handleUpgrade, shouldUpgrade, upgradeOf } from './upgrade.ts'

/** As Go's http.DefaultMaxHeaderBytes; more is answered with 431. */
const MAX_HEADER_BYTES = 1024 * 1024
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

/** Everything between a socket and the routes. `listener` gives one HTTP server per address. */
export interface ApiServer {
  readonly app: FastifyInstance
  newListener(): Server
}

export async function buildApiServer(o: {
  routes: readonly AnyRoute[]
  context: Context
  log: Log
}): Promise<ApiServer> {
  const versions = new WeakMap<object, string>()
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
  app.addHook('preParsing', async (request, _reply, payload) => {
    const upgrade = upgradeOf(request.raw)
    return upgrade === undefined ? payload : Readable.from([upgrade.body])
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'Api-Version': API_VERSION,
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: SERVER_HEADER,
    })
    const version = versions.get(request.raw)
    if (version !== undefined) parseApiVersion(version)
  })
  app.addHook('onResponse', async (request, reply) => {
    o.log.debug(
      { method: request.method, url: request.originalUrl, status: reply.statusCode },
      'request',
    )
  })
  app.setNotFoundHandler((_request, reply) => sendMessage(reply, 404, 'page not found'))
  app.setErrorHandler(answerError)

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const answer = errorAnswer(error)
    logError(o.log, answer.status, { err: error, code: answer.code, route: routeName(request) })
    if (answer.status === 304) return reply.code(304).send()
    // The rest of a body that was refused is not read.
    if (answer.status === 413) reply.header('Connection', 'close')
    return sendMessage(reply, answer.status, answer.message)
  }

  for (const route of o.routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const minor = parseApiVersion(versions.get(request.raw) ?? `1.${MAX_API_MINOR}`)
        const { call, opened } = newCall(route, request, reply, minor)
        try {
          const answer = await route.handle(o.context, call)
          if (reply.sent) return reply
          if (answer instanceof PlainText) {
            reply.header('Content-Type', 'text/plain; charset=utf-8')
            return reply.code(route.status ?? 200).send(answer.text)
          }
          if (answer === undefined) return reply.code(route.status ?? 204).send()
          reply.header('Content-Type', 'application/json')
          return reply.code(route.status ?? 200).send(Buffer.from(`${JSON.stringify(answer)}\n`))
        } catch (error) {
          if (!reply.sent) throw error
          endBrokenStream(request, opened(), asCancelled(error, call.signal), o.log)
          return reply
        }
      },
    })
  }
  await app.ready()
  const routing: typeof app.routing = (request, response) => app.routing(request, response)

  return {
    app,
    newListener: () => {
      const server = createServer(
        {
          maxHeaderSize: MAX_HEADER_BYTES,
          headersTimeout: HEADERS_TIMEOUT_MS,
          requestTimeout: 0,
          keepAliveTimeout: 60_000,
          shouldUpgradeCallback: shouldUpgrade,
        },
        routing,
      )
      server.on('upgrade', (request, socket, head) => handleUpgrade(routing, request, socket, head))
      server.on('clientError', answerBrokenRequest)
      return server
    },
  }
}

function sendMessage(reply: FastifyReply, status: number, message: string): FastifyReply {
  // The docker CLI shows `message` only if the type says JSON.
  return reply
    .code(status)
    .header('Content-Type', 'application/json')
    .send(Buffer.from(JSON.stringify({ message })))
}

function newCall(
  route: AnyRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  apiMinor: number,
): { call: Call; opened: () => Writable | undefined } {
  const { raw } = request
  const hangUp = new AbortController()
  const onClose = (): void => hangUp.abort()
  reply.raw.on('close', onClose)
  let stream: Writable | undefined
  const params = request.params as Readonly<Record<string, string>>
  const call: Call = {
    id: params['id'] ?? '',
    query: parseQuery(route.query ?? {}, request.query as Record<string, string>),
    body: parseBody(route, request),
    headers: raw.headers,
    apiMinor,
    signal: hangUp.signal,
    input: request.body instanceof Readable ? request.body : Readable.from([]),
    setHeader: (name, value) => {
      reply.header(name, value)
    },
    openOutput: async (contentType) => {
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      reply.hijack()
      const output = await openOutput(raw, reply.raw, contentType)
      output.on('close', onClose)
      stream = output
      return output
    },
    takeOver: async (contentType) => {
      reply.hijack()
      reply.raw.off('close', onClose)
      const duplex = await takeOver(raw, reply.raw, contentType)
      duplex.on('close', onClose)
      stream = duplex
      return duplex
    },
  }
  return { call, opened: () => stream }
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

/** Whatever fails because the client has gone is not our failure. */
function asCancelled(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted) return error
  return new EngineError('CANCELLED', 'the client went away', { cause: error })
}

function logError(log: Log, status: number, fields: Record<string, unknown>): void {
  if (status === 499) log.info(fields, 'client disconnected')
  else if (status >= 500 && status !== 501 && status !== 503) log.error(fields, 'request failed')
  else log.debug(fields, 'request refused')
}

function routeName(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? request.url}`
}

/** What never became a request: broken HTTP, headers that are too long or too slow. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, message] = brokenRequest(error.code)
  const body = JSON.stringify({ message })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

function brokenRequest(code: string | undefined): readonly [status: string, message: string] {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = `the headers are larger than ${MAX_HEADER_BYTES} bytes`
    return ['431 Request Header Fields Too Large', message]
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return ['408 Request Timeout', 'the request did not arrive in time']
  }
  return ['400 Bad Request', `malformed HTTP request${code === undefined ? '' : ` (${code})`}`]
}
