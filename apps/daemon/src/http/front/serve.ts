import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Context } from '../../context.ts'
import type { Log } from '../../log.ts'
import { MAX_API_MINOR, parseApiVersion } from '../api-version.ts'
import { asCancelled, errorAnswer, logError } from '../error-answer.ts'
import { farewell } from '../farewell.ts'
import { parseJsonBody } from '../json-body.ts'
import { jsonOf } from '../json-text.ts'
import { PlainFailure, PlainText } from '../plain-text.ts'
import { parseQuery } from '../query.ts'
import { upgraded } from '../stream.ts'
import { answerText, chunkedHead } from './answer.ts'
import { type ChunkSink, FrontCall } from './call.ts'
import type { Exchange } from './connection.ts'
import type { PlainRequest } from './request.ts'
import type { Target } from './target.ts'

interface Deps {
  readonly context: Context
  readonly log: Log
}

const LATEST = `1.${MAX_API_MINOR}`

/** Runs the handler of a route and answers with its value. */
export async function servePlain(
  deps: Deps,
  target: Target,
  request: PlainRequest,
  exchange: Exchange,
): Promise<void> {
  const status = await answerTo(deps, target, request, exchange)
  deps.log.debug({ method: request.method, url: request.url, status }, 'request')
}

async function answerTo(
  deps: Deps,
  target: Target,
  request: PlainRequest,
  exchange: Exchange,
): Promise<number> {
  const { route } = target
  const { socket, upgrade } = exchange
  let call: FrontCall | undefined
  try {
    call = openCall(target, request, exchange)
    const begin = performance.now()
    const value = await route.handle(deps.context, call)
    deps.context.metrics?.observe(route.method, route.path, performance.now() - begin)
    if (call.stream !== undefined) return upgrade === undefined ? await ended(call.stream) : 101
    const status = route.status ?? (value === undefined ? 204 : 200)
    answer(exchange, route.method, status, render(value), call.headerLines)
    return status
  } catch (error) {
    const isGone = call?.isClientGone === true
    const reason = call?.stream === undefined ? error : asCancelled(error, isGone)
    const { status, code, message } = errorAnswer(
      reason instanceof PlainFailure ? reason.cause : reason,
    )
    logError(deps.log, status, { err: reason, code, route: `${route.method} ${route.path}` })
    // The client learns of it by the end of the stream.
    if (call?.stream !== undefined) breakOff(socket)
    else if (reason instanceof PlainFailure) {
      const body = { type: reason.contentType, text: `${message}\r\n` }
      answer(exchange, route.method, status, body)
    } else {
      answer(exchange, route.method, status, status === 304 ? undefined : render({ message }))
    }
    return status
  }
}

function openCall(target: Target, request: PlainRequest, exchange: Exchange): FrontCall {
  const { route, id } = target
  const { headers } = request
  const apiMinor = parseApiVersion(target.version ?? LATEST, route.oldestApiMinor)
  const call = new FrontCall({
    id,
    query: parseQuery(route.query ?? {}, target.query),
    body:
      route.body === undefined
        ? undefined
        : parseJsonBody(route.body, {
            bytes: exchange.body,
            contentType: headers['content-type'],
            isOptional: route.isBodyOptional ?? false,
          }),
    headers,
    bytes: exchange.body,
    apiMinor,
    begin: (lines, contentType) => beginChunks(exchange.socket, chunkedHead(lines, contentType)),
    takeOver: (contentType, headers) => takeOver(exchange, upgraded(contentType, headers ?? {})),
  })
  exchange.onGone = () => call.clientGone()
  return call
}

/** All that is said, of one that did not take the connection. */
function answer(
  { socket, upgrade }: Exchange,
  method: string,
  status: number,
  body: ReturnType<typeof render>,
  headers = '',
): void {
  const text = answerText(method, status, headers, body, upgrade !== undefined)
  if (upgrade === undefined) send(socket, text)
  else farewell(socket, text)
}

function takeOver({ socket, upgrade }: Exchange, head: string): Socket {
  if (upgrade === undefined)
    throw new TypeError('a plain request does not hand its connection over')
  socket.write(head)
  if (upgrade.head.byteLength > 0) socket.unshift(upgrade.head)
  return socket
}

function render(value: unknown): { type: string; text: string } | undefined {
  if (value === undefined) return undefined
  if (value instanceof PlainText) return { type: 'text/plain; charset=utf-8', text: value.text }
  // The docker CLI shows `message` only if the type says JSON.
  return { type: 'application/json', text: `${jsonOf(value)}\n` }
}

function send(socket: Socket, text: string): void {
  if (!socket.destroyed && !socket.writableEnded) socket.write(text)
}

/** RFC 9112 §7.1 */
function beginChunks(socket: Socket, head: string): ChunkSink {
  gather(socket)
  send(socket, head)
  return {
    write: (chunk, done) => {
      if (chunk.byteLength === 0) return done()
      gather(socket)
      socket.write(`${chunk.byteLength.toString(16)}\r\n`)
      socket.write(chunk)
      if (socket.write('\r\n')) done()
      else socket.once('drain', () => done())
    },
    // A client that has gone is no failure of ours: its handler hears of it by `onGone`.
    end: (done) => socket.write('0\r\n\r\n', () => done()),
  }
}

/** What is written in this turn is one write: of a small answer that is all. */
function gather(socket: Socket): void {
  socket.cork()
  setImmediate(() => socket.uncork())
}

/** What has been said so far still goes. */
function breakOff(socket: Socket): void {
  while (socket.writableCorked > 0) socket.uncork()
  if (!socket.writableEnded) socket.destroy()
}

/** Of an answer that a handler has begun and ended. */
async function ended(stream: Writable): Promise<number> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  return 200
}
