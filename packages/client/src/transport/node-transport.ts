import { readFileSync } from 'node:fs'
import net from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Host } from '../host.ts'
import type { Transport, TransportListener } from './transport.ts'

export async function connectNode(
  host: Exclude<Host, { kind: 'ssh' }>,
  listener: TransportListener,
): Promise<Transport> {
  const socket = await openSocket(host)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once(host.kind === 'tcp' && host.tls !== undefined ? 'secureConnect' : 'connect', () => {
      socket.off('error', reject)
      resolve()
    })
  })
  return streamTransport(socket, listener)
}

async function openSocket(host: Exclude<Host, { kind: 'ssh' }>): Promise<net.Socket> {
  if (host.kind === 'unix') return net.connect({ path: host.path, allowHalfOpen: true })
  if (host.tls === undefined) {
    return net.connect({ host: host.hostname, port: host.port, allowHalfOpen: true, noDelay: true })
  }
  const tls = await import('node:tls')
  const { ca, cert, key, verify } = host.tls
  // @types/node lacks allowHalfOpen here; Node has it (tls.connect, since v8).
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host: host.hostname,
    port: host.port,
    ...(net.isIP(host.hostname) === 0 ? { servername: host.hostname } : {}),
    allowHalfOpen: true,
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  }
  return tls.connect(options)
}

/** Wraps an open Node socket, e.g. one that a test accepted. */
export function streamTransport(socket: net.Socket, listener: TransportListener): Transport {
  let failure: Error | undefined
  socket.on('data', (chunk: Buffer) => listener.data(chunk))
  socket.on('drain', () => listener.drain())
  socket.on('end', () => listener.end())
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => listener.close(failure))
  return {
    // Node holds what it could not send at once.
    write: (chunk) => socket.write(Buffer.from(chunk)),
    end: () => void socket.end(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
  }
}
