import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex, Writable } from 'node:stream'
import { acceptWebSocket, upgradeOf } from './upgrade.ts'
import { WebSocketDuplex } from './websocket-duplex.ts'

/**
 * The ways to leave request and answer behind. After that there is no status any more: an error ends the stream, a
 * WebSocket with code 1011 and the reason (`destroy(error)`), a bare connection by closing.
 *
 * Docker's hijack: 101 after `Upgrade: tcp`; for clients that asked for nothing, 200 and the bare connection.
 */
export async function takeOver(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
): Promise<Duplex> {
  const upgrade = upgradeOf(request)
  if (upgrade === undefined) return bareConnection(request, response, contentType)
  if (upgrade.kind === 'websocket')
    return new WebSocketDuplex(await acceptWebSocket(request, upgrade))
  const { socket, head } = upgrade
  response.detachSocket(socket as never)
  socket.write(
    `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  )
  if (head.byteLength > 0) socket.unshift(head)
  return socket
}

function bareConnection(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
): Duplex {
  const { socket } = request
  response.detachSocket(socket)
  // Node's parser holds the connection through these listeners; adding one for data hands the bytes to us.
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout']) {
    socket.removeAllListeners(event)
  }
  socket.on('error', () => socket.destroy())
  socket.setTimeout(0)
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n\r\n`)
  return socket
}

/** Output only, of unknown length. What a WebSocket client says is read and dropped. */
export async function openOutput(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
): Promise<Writable> {
  const upgrade = upgradeOf(request)
  if (upgrade?.kind === 'websocket') {
    return new WebSocketDuplex(await acceptWebSocket(request, upgrade)).resume()
  }
  response.writeHead(200, { 'Content-Type': contentType })
  response.flushHeaders()
  return response
}
