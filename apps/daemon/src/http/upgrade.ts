import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { farewell } from './farewell.ts'

/** A connection whose request asked for `tcp`, Docker's hijack; still HTTP until a route takes it over. */
export interface Upgrade {
  readonly socket: Duplex
  /** Bytes after the request (and its body). */
  readonly head: Buffer
  /** The body of the request: Node leaves reading it to us. */
  readonly body: Buffer
}

/** Bodies of upgrade requests are small: `POST /exec/{id}/start`. */
const MAX_BODY_BYTES = 1024 * 1024
const BODY_TIMEOUT_MS = 30_000

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request)
}

/**
 * For `http.createServer`: which requests arrive at the listener of `upgrade`. Others (`h2c` of Java's and curl's
 * clients) are served as if they had not asked. RFC 9110 §7.8: a server may ignore Upgrade.
 */
export function shouldUpgrade(request: IncomingMessage): boolean {
  return upgradeKind(request.headers) !== undefined
}

export function isWebSocket(headers: IncomingHttpHeaders): boolean {
  return upgradeKind(headers) === 'websocket'
}

function upgradeKind(headers: IncomingHttpHeaders): 'tcp' | 'websocket' | undefined {
  const kind = headers.upgrade?.toLowerCase()
  return kind === 'tcp' || kind === 'websocket' ? kind : undefined
}

/** An upgrade to `tcp`: routes the request like any other, with its connection at hand for `takeOver`. */
export function handleUpgrade(
  routing: (request: IncomingMessage, response: ServerResponse) => void,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // A client that goes away is noticed by those who read or write.
  socket.on('error', () => socket.destroy())
  const served = readBody(request, socket, head).then(
    ({ body, rest }) => {
      upgrades.set(request, { socket, head: rest, body })
      const response = new ServerResponse(request)
      response.shouldKeepAlive = false
      response.assignSocket(socket as never)
      // An ordinary answer (an error, say) ends the connection.
      response.on('finish', () => farewell(socket))
      routing(request, response)
    },
    (error: Error) => refuse(socket, error.message),
  )
  // The answer to the request before it is still on its way: nobody can upgrade that.
  served.catch(() => socket.destroy())
}

/**
 * The route will not take the connection over: what the client says from now on is dropped, and the end of its side is
 * the end of the request, as with a connection that is Node's. Without reading nobody would learn that it has gone.
 */
export function declineUpgrade(request: IncomingMessage): void {
  const socket = upgrades.get(request)?.socket
  if (socket === undefined) return
  socket.once('end', () => socket.end())
  socket.resume()
}

async function readBody(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<{ body: Buffer; rest: Buffer }> {
  if (request.headers['transfer-encoding'] !== undefined) {
    throw new Error('a chunked body cannot be combined with Upgrade')
  }
  const length = Number(request.headers['content-length'] ?? 0)
  if (length > MAX_BODY_BYTES) throw new Error(`the body is larger than ${MAX_BODY_BYTES} bytes`)
  const chunks = [head]
  let received = head.byteLength
  if (received < length) {
    const deadline = setTimeout(() => socket.destroy(), BODY_TIMEOUT_MS)
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk)
      received += chunk.byteLength
      if (received >= length) break
    }
    clearTimeout(deadline)
  }
  if (received < length) throw new Error('the body ended early')
  const all = Buffer.concat(chunks)
  return { body: all.subarray(0, length), rest: all.subarray(length) }
}

function refuse(socket: Duplex, message: string): void {
  const body = `${JSON.stringify({ message })}\n`
  farewell(
    socket,
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
