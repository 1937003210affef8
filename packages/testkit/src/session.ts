import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { cleanEnvironment, run } from './run.ts'
import { waitFor } from './wait-for.ts'

export interface SessionOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Give the command a terminal of this size. script(1) of bsdutils, an essential package of Debian, makes it. */
  readonly tty?: { readonly rows: number; readonly columns: number }
}

/** A command that a test talks to while it runs, with or without a terminal. Killed when disposed. */
export class Session {
  /** Everything the command has written so far (stdout and stderr). */
  output = ''
  /** Exit code as a shell reports it. */
  readonly exited: Promise<number>
  readonly #child: ChildProcess
  readonly #command: string

  constructor(argv: readonly string[], options: SessionOptions = {}) {
    const { env = {}, tty } = options
    this.#command = argv.join(' ')
    const [file = '', ...args] = tty === undefined ? argv : terminalCommand(argv, tty)
    this.#child = spawn(file, args, {
      cwd: '/',
      env: { ...cleanEnvironment(), TERM: 'xterm', SHELL: '/bin/sh', ...env },
      stdio: 'pipe',
    })
    const collect = (chunk: Buffer): void => {
      this.output += chunk.toString('utf8')
    }
    this.#child.stdout?.on('data', collect)
    this.#child.stderr?.on('data', collect)
    this.#child.stdin?.on('error', () => undefined)
    this.exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code) => resolve(code ?? 137))
    })
    // A test that ends early leaves the promise unobserved.
    this.exited.catch(() => undefined)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  write(text: string | Buffer): void {
    this.#child.stdin?.write(text)
  }

  end(): void {
    this.#child.stdin?.end()
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Wait until the output matches; returns the match. */
  async waitFor(pattern: RegExp | string, timeoutMs = 120_000): Promise<RegExpExecArray> {
    const regexp = typeof pattern === 'string' ? new RegExp(escapeRegExp(pattern)) : pattern
    return await waitFor(
      `${regexp} in the output of ${this.#command}`,
      () => regexp.exec(this.output) ?? undefined,
      timeoutMs,
    ).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; it was: ${JSON.stringify(this.output.slice(-2000))}`)
    })
  }

  /** Change the size of the terminal, as a terminal emulator does when its window changes. */
  async resize(rows: number, columns: number): Promise<void> {
    const inner = await waitFor('the command under script(1)', () => childOf(this.pid))
    const terminal = readlinkSync(`/proc/${inner}/fd/0`)
    // One TIOCSWINSZ: stty(1) would set rows and columns one after the other, and a program could see the size between.
    const { code, stderr } = await run([
      'perl',
      '-e',
      'open(T, "+<", $ARGV[0]) && ioctl(T, 0x5414, pack("S4", $ARGV[1], $ARGV[2], 0, 0)) || die $!',
      terminal,
      String(rows),
      String(columns),
    ])
    if (code !== 0) throw new Error(`TIOCSWINSZ on ${terminal}: ${stderr}`)
  }

  /** Pid of the command itself when it runs under script(1). */
  async innerPid(): Promise<number> {
    return await waitFor('the command under script(1)', () => childOf(this.pid))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.kill('SIGKILL')
    this.#child.stdin?.destroy()
    await this.exited.catch(() => undefined)
  }
}

function terminalCommand(
  argv: readonly string[],
  size: { readonly rows: number; readonly columns: number },
): string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const command = `stty rows ${size.rows} cols ${size.columns}; exec ${quoted}`
  return ['script', '--quiet', '--return', '--command', command, '/dev/null']
}

function childOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return first === undefined || first === '' ? undefined : Number(first)
  } catch {
    return undefined // not there yet, or gone
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
