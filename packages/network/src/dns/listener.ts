import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { frame } from './forwarder.ts'
import { MAX_QUERY_BYTES } from './message.ts'

/** Answers one query from `client`; undefined: nothing is sent. */
export type Handler = (
  bytes: Buffer,
  client: { readonly address: string; readonly isTcp: boolean },
) => Buffer | undefined | Promise<Buffer | undefined>

/** UDP and TCP on one address and port. Never throws at what clients send; keeps no process alive. */
export class Listener {
  readonly address: string
  readonly port: number
  readonly #udp: UdpSocket
  readonly #tcp: Server
  readonly #connections: ReadonlySet<Socket>

  private constructor(address: string, udp: UdpSocket, tcp: Server, connections: Set<Socket>) {
    this.address = address
    this.port = udp.address().port
    this.#udp = udp
    this.#tcp = tcp
    this.#connections = connections
  }

  /** Port 0: any that is free. Rejects with EADDRINUSE when another program has the port. */
  static async open(address: string, port: number, handle: Handler): Promise<Listener> {
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const connections = new Set<Socket>()
    try {
      udp.bind({ address, port, exclusive: true })
      await once(udp, 'listening')
      serveUdp(udp, handle)
      const tcp = serverOf(handle, connections)
      tcp.listen({ host: address, port: udp.address().port, exclusive: true })
      await once(tcp, 'listening')
      udp.unref()
      tcp.unref()
      return new Listener(address, udp, tcp, connections)
    } catch (error) {
      udp.close()
      throw error
    }
  }

  /** On sockets that are bound, and the TCP one listening; they are the listener's from now on. */
  static async adopt(
    { udp: udpFd, tcp: tcpFd }: { readonly udp: number; readonly tcp: number },
    handle: Handler,
  ): Promise<Listener> {
    const udp = createSocket('udp4')
    udp.bind({ fd: udpFd, exclusive: true })
    serveUdp(udp, handle)
    const connections = new Set<Socket>()
    const tcp = serverOf(handle, connections)
    tcp.listen({ fd: tcpFd, exclusive: true })
    await once(tcp, 'listening')
    udp.unref()
    tcp.unref()
    return new Listener(udp.address().address, udp, tcp, connections)
  }

  [Symbol.dispose](): void {
    this.#udp.close()
    this.#tcp.close()
    for (const socket of this.#connections) socket.destroy()
  }
}

/** For each network: a container that holds many stops others of its own network only. */
const MAX_CONNECTIONS = 64
const IDLE_MS = 10_000

function serveUdp(socket: UdpSocket, handle: Handler): void {
  let isOpen = true
  socket.on('close', () => {
    isOpen = false
  })
  // Of datagrams before: ICMP errors, a full queue. The client asks again.
  socket.on('error', () => undefined)
  socket.on('message', (bytes, client) => {
    const send = (answer: Buffer | undefined): void => {
      if (answer === undefined || !isOpen) return
      socket.send(answer, client.port, client.address, () => undefined)
    }
    const answer = handle(bytes, { address: client.address, isTcp: false })
    if (answer instanceof Promise) void answer.then(send)
    else send(answer)
  })
}

function serverOf(handle: Handler, connections: Set<Socket>): Server {
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    void serveTcp(socket, handle)
  })
  tcp.maxConnections = MAX_CONNECTIONS
  return tcp
}

/** One query after the other; ends with the client, or when it says nothing for a while. */
async function serveTcp(socket: Socket, handle: Handler): Promise<void> {
  const address = socket.remoteAddress ?? ''
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  try {
    await pipeline(
      socket,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const bytes of readFrames(source)) {
          const answer = await handle(bytes, { address, isTcp: true })
          if (answer === undefined) return
          yield frame(answer)
        }
      },
      socket,
    )
  } catch {
    // The client has gone away.
  } finally {
    socket.destroy()
  }
}

async function* readFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    buffer = Buffer.concat([buffer, chunk])
    while (buffer.length >= 2) {
      const length = buffer.readUInt16BE(0)
      if (length > MAX_QUERY_BYTES) return
      if (buffer.length < 2 + length) break
      yield buffer.subarray(2, 2 + length)
      buffer = buffer.subarray(2 + length)
    }
  }
}
