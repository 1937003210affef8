import { sdNotify, setCloseOnExec } from '@ctr/linux'
import type { Log } from './log.ts'

/** The service manager that started us, if one did: what it wants to be told, and the sockets it has opened. */
export interface ServiceManager extends Disposable {
  /** Descriptors of listening sockets. sd_listen_fds(3) */
  readonly sockets: readonly number[]
  /** Lines of sd_notify(3). Without a service manager nothing. */
  notify(...lines: string[]): void
  ready(status: string): void
  reloading(): void
}

const FIRST_FD = 3

/** Takes what systemd has put into the environment out of it: no child shall think that it is meant. */
export function serviceManager(env: NodeJS.ProcessEnv, log: Log): ServiceManager {
  const sockets = inheritedSockets(env)
  const path = env['NOTIFY_SOCKET']
  const watchdogMs = watchdogInterval(env)
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) {
    delete env[name]
  }
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
  for (const fd of sockets) setCloseOnExec(fd)

  const notify = (...lines: string[]): void => {
    if (path === undefined || path === '') return
    try {
      sdNotify(path, lines.join('\n'))
    } catch (err) {
      log.warn({ err }, 'could not tell the service manager')
    }
  }
  let timer: NodeJS.Timeout | undefined
  return {
    sockets,
    notify,
    ready: (status) => {
      notify('READY=1', `STATUS=${status}`)
      if (watchdogMs === undefined || timer !== undefined) return
      timer = setInterval(() => notify('WATCHDOG=1'), watchdogMs)
      timer.unref()
    },
    // Type=notify-reload wants the time, CLOCK_MONOTONIC.
    reloading: () => notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

function inheritedSockets(env: NodeJS.ProcessEnv): number[] {
  const count = Number(env['LISTEN_FDS'] ?? 0)
  if (Number(env['LISTEN_PID']) !== process.pid || !(count > 0 && count < 1024)) return []
  return Array.from({ length: count }, (_, index) => FIRST_FD + index)
}

/** Half of what systemd waits for a sign of life. sd_watchdog_enabled(3) */
function watchdogInterval(env: NodeJS.ProcessEnv): number | undefined {
  const usec = Number(env['WATCHDOG_USEC'])
  const isOurs = (env['WATCHDOG_PID'] ?? String(process.pid)) === String(process.pid)
  return isOurs && usec > 0 ? usec / 2000 : undefined
}
