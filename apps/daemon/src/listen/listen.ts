import { rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { EngineError } from '@ctr/errdefs'
import { socketFamily } from '@ctr/linux'
import { exposure, type Host, type TlsFiles } from '../config/hosts.ts'
import type { ApiServer } from '../http/server.ts'
import type { Log } from '../log.ts'
import { bind } from './bind.ts'
import type { EarlySockets } from './early.ts'
import { readTls } from './tls.ts'
import type { SocketGroup } from './unix-socket.ts'

export interface ListenRequest {
  readonly hosts: readonly Host[]
  readonly tls: TlsFiles | undefined
  readonly socketGroup: SocketGroup
  /** Of systemd. */
  readonly inherited: readonly number[]
  readonly early: EarlySockets
}

/** The addresses of the API. */
export interface Listeners extends Disposable {
  /** Reads certificates again: new connections get the new ones. */
  reloadTls(): void
}

/** Listens on all addresses, or on none. Disposal ends all connections, upgraded ones too. */
export async function listen(api: ApiServer, o: ListenRequest, log: Log): Promise<Listeners> {
  using cleanup = new DisposableStack()
  const servers: Server[] = []
  const waiting: { begin(): void }[] = []
  const add = (isPlainTcp: boolean, isTls: boolean, listening?: Server): Server => {
    const tls = isTls && o.tls !== undefined ? readTls(o.tls) : undefined
    const server = api.newListener({
      ...(tls === undefined ? {} : { tls }),
      isPlainTcp,
      server: listening,
    })
    servers.push(server)
    const connections = trackConnections(server)
    cleanup.defer(() => {
      server.close()
      for (const connection of connections) connection.destroy()
    })
    return server
  }
  for (const host of o.hosts) {
    switch (host.kind) {
      case 'unix': {
        const { path } = host
        const early = o.early.take(path)
        if (early === undefined) break // the same path twice
        early.restore()
        add(false, false, early.server)
        cleanup.defer(() => rmSync(path, { force: true }))
        waiting.push(early)
        break
      }
      case 'tcp':
        await bind(add(o.tls === undefined, true), { host: host.host, port: host.port })
        sayTcp(`${host.host}:${host.port}`, o.tls, log)
        break
      case 'fd':
        for (const fd of chooseInherited(host.fd, o.inherited)) {
          const isIp = socketFamily(fd) === 'ip'
          const server = add(isIp && o.tls === undefined, isIp)
          await bind(server, { fd })
          checkInherited(server, fd, o.tls, log)
        }
        break
    }
  }
  for (const early of waiting) early.begin()
  const stack = cleanup.move()
  return {
    reloadTls: () => {
      if (o.tls === undefined) return
      const tls = readTls(o.tls)
      for (const server of servers) {
        if ('setSecureContext' in server) (server.setSecureContext as (o: object) => void)(tls)
      }
    },
    [Symbol.dispose]: () => stack.dispose(),
  }
}

function chooseInherited(wanted: number | 'all', inherited: readonly number[]): readonly number[] {
  const chosen = wanted === 'all' ? inherited : inherited.filter((fd) => fd === wanted)
  if (chosen.length > 0) return chosen
  throw new EngineError(
    'INVALID_ARGUMENT',
    'no sockets found via socket activation: make sure the service was started by systemd',
  )
}

/** systemd has bound it: only now is the address known. */
function checkInherited(server: Server, fd: number, tls: TlsFiles | undefined, log: Log): void {
  const address = server.address()
  if (address === null || typeof address === 'string') {
    log.info({ fd, socket: address }, 'listening')
    return
  }
  const danger = exposure(address.address, tls)
  if (danger !== undefined) throw new EngineError('INVALID_ARGUMENT', `fd://${fd}: ${danger}`)
  sayTcp(`${address.address}:${address.port}`, tls, log)
}

function sayTcp(address: string, tls: TlsFiles | undefined, log: Log): void {
  if (tls !== undefined) {
    log.info({ address, clientCertificates: tls.ca !== undefined }, 'listening with TLS')
    return
  }
  log.warn({ address }, 'listening without TLS: every user of this machine can become root by it')
}

/** Upgraded connections are not the HTTP server's any more; they end with the daemon all the same. */
function trackConnections(server: Server): ReadonlySet<Duplex> {
  const connections = new Set<Duplex>()
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return connections
}
