import { printError } from '../output/write.ts'

/** What `--sig-proxy` forwards: Docker forwards all but SIGCHLD, SIGPIPE and SIGURG (docker/cli container/signals.go). */
const FORWARDED = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGIO',
  'SIGPWR',
] as const satisfies readonly NodeJS.Signals[]

/**
 * From here on these signals go to `forward` instead of ending the client. Returns the way back. As docker: who asks for the
 * end three times gets that of the client, for a program that is PID 1 need not heed SIGINT and SIGTERM.
 */
export function forwardSignals(forward: (signal: string) => Promise<void>): () => void {
  let requests = 0
  const listener = (signal: NodeJS.Signals): void => {
    if ((signal === 'SIGINT' || signal === 'SIGTERM') && ++requests === 3) {
      printError('\ngot 3 SIGTERM/SIGINTs, forcefully exiting')
      process.exit(1)
    }
    forward(signal).catch(() => {
      // The container is gone or was not started yet; its exit is reported elsewhere.
    })
  }
  for (const signal of FORWARDED) process.on(signal, listener)
  return () => {
    for (const signal of FORWARDED) process.off(signal, listener)
  }
}

const FATAL = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
] as const satisfies readonly NodeJS.Signals[]

/** Ends the client in an orderly way on a signal, so that the terminal is given back as it was. */
export function exitOnSignals(): () => void {
  const listener = (signal: NodeJS.Signals): void =>
    process.exit(128 + process.getBuiltinModule('node:os').constants.signals[signal])
  for (const signal of FATAL) process.on(signal, listener)
  return () => {
    for (const signal of FATAL) process.off(signal, listener)
  }
}

export function onResize(listener: () => void): () => void {
  process.on('SIGWINCH', listener)
  return () => void process.off('SIGWINCH', listener)
}
