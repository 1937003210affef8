import { writeFileSync } from 'node:fs'
import { saveCompileCache, useCompileCache } from './compile-cache.ts'

// Before the rest is imported.
useCompileCache()

const { EngineError } = await import('@ctr/errdefs')
const { loadConfig } = await import('./config/config.ts')
const { parseFlags } = await import('./config/flags.ts')
const { helpText, versionText } = await import('./config/help.ts')
const { keepMemorySmall } = await import('./idle-memory.ts')
const { openLog } = await import('./log.ts')
const { checkPrivileges } = await import('./privileges.ts')
const { serviceManager } = await import('./systemd.ts')

async function main(argv: readonly string[]): Promise<void> {
  const flags = parseFlags(argv)
  if (flags.showsHelp) return print(helpText())
  if (flags.showsVersion) return print(versionText())
  const config = loadConfig(flags)
  if (flags.values.get('validate') === true) return print('configuration OK\n')

  checkPrivileges()
  const log = openLog(config.logLevel, config.logFormat)
  for (const [option, why] of Object.entries(config.ignored)) {
    log.warn({ option, why }, 'an option has no effect here')
  }
  if (config.oomScoreAdjust !== undefined) {
    // Before anything is started: shims are to have it too. A container sets its own.
    try {
      writeFileSync('/proc/self/oom_score_adj', String(config.oomScoreAdjust))
    } catch (err) {
      log.warn({ err }, 'cannot set oom-score-adjust') // less takes CAP_SYS_RESOURCE
    }
  }
  // A bug in one request must not take the engine down: containers are not in this process, clients are.
  process.on('uncaughtException', (err) => log.error({ err }, 'uncaught exception'))
  process.on('unhandledRejection', (err) => log.error({ err }, 'unhandled rejection'))

  // Agents of the registry client look at these when they are made.
  Object.assign(process.env, config.proxies)
  const services = serviceManager(process.env, log)
  // Until it is ready there is nothing to reload; without a listener the signal would end it.
  process.on('SIGHUP', () => undefined)
  const starting = import('./daemon.ts').then(({ startDaemon }) =>
    startDaemon(config, log, services),
  )
  let isEnding = false
  // From now on: it is asked things as soon as it listens, and may be told to end then.
  process.on('SIGTERM', (signal) => shutDown(signal))
  process.on('SIGINT', (signal) => shutDown(signal))
  const daemon = await starting
  if (isEnding) return
  log.info({ pid: process.pid, dataRoot: config.engine.dataRoot }, 'ctrd is ready')
  services.ready('Ready')
  saveCompileCache()
  keepMemorySmall(log)

  process.on('SIGHUP', () => reload())

  /** One after the other. */
  let reloading = Promise.resolve()
  function reload(): void {
    services.reloading()
    reloading = reloading
      .then(() => daemon.reload(loadConfig(flags)))
      .catch((err: unknown) => {
        log.error({ err }, 'the configuration is not valid and has not changed')
      })
      .then(() => services.ready('Ready'))
  }

  function shutDown(signal: NodeJS.Signals): void {
    if (isEnding) return
    isEnding = true
    log.info({ signal }, 'ending; containers go on')
    services.notify('STOPPING=1', 'STATUS=Ending; containers go on')
    // Everything is on disk already; what does not end in time is found by the next start.
    setTimeout(() => process.exit(0), SHUTDOWN_MS).unref()
    starting
      .then((started) => started[Symbol.asyncDispose]())
      .then(
        () => process.exit(0),
        (err) => {
          log.error({ err }, 'did not end cleanly')
          process.exit(1)
        },
      )
  }
}

/** At once: what cannot be written is an error of ours like any other. */
function print(text: string): void {
  writeFileSync(process.stdout.fd, text)
}

const SHUTDOWN_MS = 800

main(process.argv.slice(2)).catch((error: unknown) => {
  // What has a code says what is wrong with the machine or the request; the rest is our fault.
  const isExplained = error instanceof Error && 'code' in error
  process.stderr.write(`ctrd: ${isExplained ? error.message : (error as Error).stack}\n`)
  const isUsage = error instanceof EngineError && error.code === 'INVALID_ARGUMENT'
  if (isUsage) process.stderr.write('See ctrd --help.\n')
  process.exit(1)
})
