import { rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Engine, openEngine } from '@ctr/engine'
import type { DaemonConfig } from './config/config.ts'
import { loadDefaultImage } from './default-image.ts'
import { buildApiServer } from './http/server.ts'
import { listen } from './listen.ts'
import type { RootLog } from './log.ts'
import { writePidFile } from './pid-file.ts'
import { lockRoot } from './root-lock.ts'
import { routes } from './routes/index.ts'

/** A running ctrd. Disposal stops listening and leaves containers running. */
export interface Daemon extends AsyncDisposable {
  readonly engine: Engine
}

/** The composition root: locks, pid file, engine, API, sockets, in this order; undone in reverse. */
export async function startDaemon(config: DaemonConfig, log: RootLog): Promise<Daemon> {
  await using cleanup = new AsyncDisposableStack()
  cleanup.use(lockRoot(config.engine.dataRoot))
  cleanup.use(lockRoot(config.engine.execRoot))
  cleanup.use(writePidFile(config.pidFile))

  const engine = cleanup.use(await openEngine(config.engine, log))
  const api = await buildApiServer({ routes, context: { engine, config, log }, log })
  for (const path of config.sockets) {
    const server = api.newListener()
    const connections = trackConnections(server)
    await listen(server, path, config.socketGroup, log)
    // Only now is the path ours to remove.
    cleanup.defer(() => {
      server.close()
      for (const connection of connections) connection.destroy()
      rmSync(path, { force: true })
    })
  }
  const loading = loadDefaultImage(engine, log)
  cleanup.defer(() => loading)

  const stack = cleanup.move()
  return { engine, [Symbol.asyncDispose]: () => stack.disposeAsync() }
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
