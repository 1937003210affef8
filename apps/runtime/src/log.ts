import { openSync, writeSync } from 'node:fs'

export type Level = 'debug' | 'info' | 'warning' | 'error'

/** runc's log: logrus lines as text or JSON, in a file or on stderr. Callers read the last JSON line for the reason. */
export class Log {
  readonly #fd: number
  readonly #isJson: boolean
  readonly #isDebug: boolean

  private constructor(fd: number, isJson: boolean, isDebug: boolean) {
    this.#fd = fd
    this.#isJson = isJson
    this.#isDebug = isDebug
  }

  static open(o: { path: string | undefined; isJson: boolean; isDebug: boolean }): Log {
    // Not O_CREAT|O_TRUNC: the callers collect the lines of several commands in one file.
    const isStderr = o.path === undefined || o.path === '' || o.path === '/dev/stderr'
    return new Log(isStderr ? 2 : openSync(o.path ?? '', 'a', 0o644), o.isJson, o.isDebug)
  }

  get isStderr(): boolean {
    return this.#fd === 2
  }

  write(level: Level, message: string): void {
    if (level === 'debug' && !this.#isDebug) return
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    const line = this.#isJson
      ? JSON.stringify({ level, msg: message, time })
      : `time="${time}" level=${level} msg=${JSON.stringify(message)}`
    try {
      writeSync(this.#fd, `${line}\n`)
    } catch {
      // Nobody to tell.
    }
  }

  warn(message: string): void {
    this.write('warning', message)
  }
}
