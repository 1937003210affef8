import { constants } from 'node:os'
import type { Launch } from './launch.ts'

const FORWARDED = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
] as const

/** Who signals the runtime in the foreground means the container. */
export function forwardSignals(launch: Launch): void {
  for (const name of FORWARDED) {
    process.on(name, () => launch.signal(constants.signals[name]))
  }
}
