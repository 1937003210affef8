import { hostname } from 'node:os'
import { type Engine, reconfigureEngine } from '@ctr/engine'
import { type DaemonConfig, reloadedConfig } from './config/config.ts'
import type { Listeners } from './listen/listen.ts'
import type { RootLog } from './log.ts'

interface Deps {
  readonly engine: Engine
  readonly log: RootLog
  readonly listeners: Pick<Listeners, 'reloadTls'>
}

/** What SIGHUP does with a valid configuration. Gives the configuration that holds now. */
export async function reload(
  { engine, log, listeners }: Deps,
  now: DaemonConfig,
  next: DaemonConfig,
): Promise<DaemonConfig> {
  const { config, changed, needRestart } = reloadedConfig(now, next)
  log.level = config.logLevel
  reconfigureEngine(engine, config.engine, reloadAttributes(config))
  log.info({ changed, logLevel: config.logLevel }, 'read the configuration again')
  if (needRestart.length > 0) {
    log.warn({ keys: needRestart }, 'these options have changed and need a restart of ctrd')
  }
  try {
    listeners.reloadTls()
    await engine.networks.reload()
  } catch (err) {
    log.error({ err }, 'could not reload certificates and networks')
  }
  return config
}

/** As dockerd's event has them. moby daemon/reload.go */
function reloadAttributes({ engine, logLevel, values }: DaemonConfig): Record<string, string> {
  const { maxDownloads, maxAttempts, insecure, mirrors } = engine.registries
  const given = (key: string, standard: unknown): string => {
    const value = values.get(key) ?? standard
    return typeof value === 'string' ? value : JSON.stringify(value)
  }
  return {
    name: hostname(),
    debug: String(logLevel === 'debug'),
    labels: JSON.stringify(engine.labels),
    'insecure-registries': JSON.stringify(insecure),
    'registry-mirrors': JSON.stringify(mirrors),
    'max-concurrent-downloads': String(maxDownloads),
    'max-concurrent-uploads': given('max-concurrent-uploads', 5),
    'max-download-attempts': String(maxAttempts),
    'default-shm-size': String(engine.defaultShmSizeBytes),
    'default-ipc-mode': engine.defaultIpcMode ?? 'private',
    'default-cgroupns-mode': given('default-cgroupns-mode', ''),
    'default-runtime': 'ctr',
    runtimes: 'ctr:{ctr-shim []}',
    'live-restore': 'true',
    'shutdown-timeout': given('shutdown-timeout', 15),
    features: given('features', {}),
    'allow-nondistributable-artifacts': given('allow-nondistributable-artifacts', []),
    'authorization-plugins': given('authorization-plugins', []),
  }
}
