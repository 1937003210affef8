import { destination, type Logger, pino, stdTimeFunctions } from 'pino'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Log
}

/** dockerd's level names; `fatal` and `panic` leave only what ends the daemon. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

export interface RootLog extends Log {
  level: string
}

/** JSON lines on stderr, written before the call returns: a killed daemon has said what it did. */
export function openLog(level: LogLevel): RootLog {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: 2, sync: true }),
  ) as unknown as RootLog
}
