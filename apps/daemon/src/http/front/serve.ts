import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Context } from '../../context.ts'
import type { Log } from '../../log.ts'
import { MAX_API_MINOR, parseApiVersion } from '../api-version.ts'
import { asCancelled, errorAnswer, logError } from '../error-answer.ts'
import { parseJsonBody } from '../json-body.ts'
import { jsonOf } from '../json-text.ts'
import { PlainText } from '../plain-text.ts'
import { parseQuery } from '../query.ts'
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
  const { socket } = exchange
  let call: FrontCall | undefined
  try {
    call = openCall(target, request, exchange)
    const begin = performance.now()
    const value = await route.handle(deps.context, call)
    deps.context.metrics?.observe(route.method, route.path, performance.now() - begin)
    if (call.stream !== undefined) return await ended(call.stream)
    const status = route.status ?? (value === undefined ? 204 : 200)
    send(socket, answerText(route.method, status, call.headerLines, render(value)))
    return status
  } catch (error) {
    const isGone = call?.isClientGone === true
    const reason = call?.stream === undefined ? error : asCancelled(error, isGone)
    const { status, code, message } = errorAnswer(reason)
    logError(deps.log, status, { err: reason, code, route: `${route.method} ${route.path}` })
    // The client learns of it by the end of the stream.
    if (call?.stream !== undefined) breakOff(socket)
    else {
      const body = status === 304 ? undefined : json({ message })
      send(socket, answerText(route.method, status, '', body))
    }
    return status
  }
}

function openCall(target: Target, request: PlainRequest, exchange: Exchange): FrontCall {
  const { route, id } = target
  const { headers } = request
  const apiMinor = parseApiVersion(target.version ?? LATEST)
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
  })
  exchange.onGone = () => call.clientGone()
  return call
}

function render(value: unknown): { type: string; text: string } | undefined {
  if (value === undefined) return undefined
  if (value instanceof PlainText) return { type: 'text/plain; charset=utf-8', text: value.text }
  const { type, text } = json(value)
  return { type, text: `${text}\n` }
}

// The docker CLI shows `message` only if the type says JSON.
function json(value: unknown): { type: string; text: string } {
  return { type: 'application/json', text: jsonOf(value) }
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
  socket.destroy()
}

/** Of an answer that a handler has begun and ended. */
async function ended(stream: Writable): Promise<number> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  return 200
}
