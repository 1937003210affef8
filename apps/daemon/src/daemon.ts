import { type Engine, openEngine } from '@ctr/engine'
import type { DaemonConfig } from './config/config.ts'
import type { Context } from './context.ts'
import { checkDataRoot } from './data-root.ts'
import { loadDefaultImage } from './default-image.ts'
import { buildApiServer } from './http/server.ts'
import { EarlySockets } from './listen/early.ts'
import { listen } from './listen/listen.ts'
import type { RootLog } from './log.ts'
import { writePidFile } from './pid-file.ts'
import { reload } from './reload.ts'
import { lockRoot, takeEntries } from './root-lock.ts'
import { routes } from './routes/index.ts'
import type { ServiceManager } from './systemd.ts'

/** A running ctrd. Disposal stops listening and leaves containers running. */
export interface Daemon extends AsyncDisposable {
  readonly engine: Engine
  /** Makes of a new configuration what can be made of it. */
  reload(config: DaemonConfig): Promise<void>
}

/** The composition root: locks, pid file, engine, API, sockets, in this order; undone in reverse. */
export async function startDaemon(
  config: DaemonConfig,
  log: RootLog,
  services: Pick<ServiceManager, 'sockets' | 'notify'>,
): Promise<Daemon> {
  await using cleanup = new AsyncDisposableStack()
  cleanup.use(lockRoot(config.engine.dataRoot))
  cleanup.use(lockRoot(config.engine.execRoot))
  for (const path of [config.engine.dataRoot, config.engine.execRoot].flatMap(takeEntries)) {
    log.warn({ path }, 'belonged to somebody else, or was writable for others: it is ours now')
  }
  checkDataRoot(config.engine.dataRoot)
  if (config.pidFile !== undefined) cleanup.use(writePidFile(config.pidFile))
  // Before anything is made on the host for an engine that nobody could talk to; and so that nobody is refused meanwhile.
  const early = await EarlySockets.open(config.hosts, config.socketGroup, log)
  try {
    const daemon = cleanup.use(await startWith(early, config, log, services))
    const stack = cleanup.move()
    return { ...daemon, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (error) {
    await early.refuse(error instanceof Error ? error.message : String(error))
    throw error
  }
}

async function startWith(
  early: EarlySockets,
  config: DaemonConfig,
  log: RootLog,
  services: Pick<ServiceManager, 'sockets' | 'notify'>,
): Promise<Daemon> {
  await using cleanup = new AsyncDisposableStack()
  services.notify('STATUS=Restoring containers')
  // The engine's is changed by a reload, and is its own.
  const engine = cleanup.use(await openEngine({ ...config.engine }, log))
  // Before anybody can ask for it: `ctrd &` and `ctr run busybox` in one line work the first time, too.
  await loadDefaultImage(engine, log)
  const context: { -readonly [K in keyof Context]: Context[K] } = {
    engine,
    config,
    log,
    metrics: undefined,
  }
  if (config.metricsAddress !== undefined) {
    const { Metrics } = await import('./metrics/metrics.ts')
    const { serveMetrics } = await import('./metrics/serve.ts')
    context.metrics = cleanup.use(new Metrics(engine))
    cleanup.use(await serveMetrics(context.metrics, config.metricsAddress))
    log.info({ address: config.metricsAddress }, 'serving metrics')
  }
  const api = await buildApiServer({ routes, context, log })
  const { hosts, tls, socketGroup } = config
  const request = { hosts, tls, socketGroup, inherited: services.sockets, early }
  const listeners = cleanup.use(await listen(api, request, log))

  const stack = cleanup.move()
  return {
    engine,
    reload: async (next) => {
      context.config = await reload({ engine, log, listeners }, context.config, next)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
