import { writeSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { type Logger, pino, stdTimeFunctions } from 'pino'

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
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => writeLine(format === 'json' ? line : textLine(line)) },
  ) as unknown as RootLog
}

const STDERR_FD = 2

/** As long as a reader of a non-blocking pipe may take for a line. */
const WAIT_MS = 5
const WAITS = 20

/**
 * A line that cannot be written is lost: a full disk, a closed terminal (EIO) or a reader that has gone must not end the engine, nor
 * the request that speaks.
 */
function writeLine(line: string): void {
  let rest: Uint8Array = Buffer.from(line)
  for (let waits = 0; rest.length > 0 && waits <= WAITS; ) {
    try {
      rest = rest.subarray(writeSync(STDERR_FD, rest))
    } catch (error) {
      if (!isErrno(error, 'EAGAIN')) return
      waits += 1
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS)
    }
  }
}

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
