import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex, Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { upgradeOf } from './upgrade.ts'

/** Of the answer to a request that was taken over; values are sent percent-encoded. */
export type AnswerHeaders = Readonly<Record<string, string>>

/**
 * The ways to leave request and answer behind, beside a WebSocket (websocket.ts). After that there is no status any more:
 * an error ends the stream by closing.
 *
 * Docker's hijack: 101 after `Upgrade: tcp`; for clients that asked for nothing, 200 and the bare connection. As dockerd,
 * it does not need `Connection: Upgrade` for the 101: Go's clients that set only `Upgrade` get no writable body from a 200.
 */
export async function takeOver(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
  headers: AnswerHeaders = {},
): Promise<Duplex> {
  const upgrade = upgradeOf(request)
  if (upgrade === undefined) {
    // At the end of a request Node makes its connection flow; that is in this turn where there is no body.
    await nextTurn()
    return bareConnection(request, response, contentType, headers)
  }
  const { socket, head } = upgrade
  response.detachSocket(socket as never)
  socket.write(upgraded(contentType, headers))
  if (head.byteLength > 0) socket.unshift(head)
  return socket
}

function bareConnection(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
  headers: AnswerHeaders,
): Duplex {
  const { socket } = request
  response.detachSocket(socket)
  // One by one: after `removeAllListeners('data')` a stream of Node 24 takes itself for listened to.
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout']) {
    for (const listener of socket.rawListeners(event)) socket.off(event, listener as () => void)
  }
  // Node's parser holds the connection until somebody reads it. What the client says from now on is for the next reader, whenever
  // that comes; the parser would take it for a request.
  const hold = (): void => undefined
  socket.on('readable', hold).off('readable', hold)
  socket.on('error', () => socket.destroy())
  socket.setTimeout(0)
  const isAsked = request.headers.upgrade?.toLowerCase() === 'tcp'
  socket.write(
    isAsked
      ? upgraded(contentType, headers)
      : `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n${lines(headers)}\r\n`,
  )
  return socket
}

/** The answer that gives the connection. */
export function upgraded(contentType: string, headers: AnswerHeaders): string {
  return `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${lines(headers)}\r\n`
}

/** `encodeURIComponent` leaves nothing that could end a line. */
function lines(headers: AnswerHeaders): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${encodeURIComponent(value)}\r\n`)
    .join('')
}

/** Output only, of unknown length: a chunked answer. */
export function openOutput(response: ServerResponse, contentType: string): Writable {
  response.writeHead(200, { 'Content-Type': contentType })
  response.flushHeaders()
  return response
}
