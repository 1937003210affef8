import { type Logger, pino, stdTimeFunctions } from 'pino'
import { lineWriter } from './line-writer.ts'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Log
}

/** dockerd's level names; `fatal` and `panic` leave only what ends the daemon. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** `text`: as dockerd writes it, `time=… level=info msg=… key=value`. */
export type LogFormat = 'json' | 'text'

export interface RootLog extends Log {
  level: string
}

/** Lines on stderr, written before the call returns: a killed daemon has said what it did. */
export function openLog(level: LogLevel, format: LogFormat = 'json'): RootLog {
  const formatted = (line: string): string => (format === 'json' ? line : textLine(line))
  const write = lineWriter(STDERR_FD, (lost) => {
    const time = new Date().toISOString()
    const msg = `${lost} lines of the log are lost: nobody has read them`
    return formatted(`${JSON.stringify({ level: 'warn', time, msg })}\n`)
  })
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => write(formatted(line)) },
  ) as unknown as RootLog
}

const STDERR_FD = 2

/** A line of JSON as logrus's TextFormatter has it, which dockerd's text is. */
export function textLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>
  const parts = Object.entries({ time, level, msg: msg ?? '', ...fields })
  return `${parts.map(([key, value]) => `${key}=${textValue(value)}`).join(' ')}\n`
}

/** Quoted unless it is a plain word. */
function textValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return /^[\w./@^+-]+$/.test(text) ? text : JSON.stringify(text)
}
