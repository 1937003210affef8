import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { SLOW } from './slow.ts'

export interface RunOptions {
  /** Sent to stdin, which is then closed. Absent: stdin is /dev/null. */
  readonly input?: string | Buffer
  /** Added to a small clean environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The command is killed and the promise rejects after this time. */
  readonly timeoutMs?: number
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: Buffer
  /** Exit code as a shell reports it: 128+n after signal n. */
  readonly code: number
}

/** Run a command to its end and collect what it says. Rejects only if it cannot start or takes too long. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { input, env = {}, cwd = '/', timeoutMs = 120_000 } = options
  const [file = '', ...args] = argv
  const child = spawn(file, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  // The command may end without having read everything: EPIPE is its right.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input)
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? 128 + signalNumber(signal)))
  })
  const aborter = new AbortController()
  const late = delay(timeoutMs * SLOW, 'late' as const, { signal: aborter.signal }).catch(() => 0)
  const code = await Promise.race([ended, late])
  aborter.abort()
  const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString('utf8')
  if (typeof code === 'string') {
    child.kill('SIGKILL')
    child.stdout?.destroy()
    child.stderr?.destroy()
    throw new Error(
      `still running after ${timeoutMs} ms: ${argv.join(' ').slice(0, 300)}\nstdout: ${text(stdout).slice(-2000)}\nstderr: ${text(stderr).slice(-2000)}`,
    )
  }
  return {
    stdout: text(stdout),
    stderr: text(stderr),
    stdoutBytes: Buffer.concat(stdout),
    code,
  }
}

/** What a test passes on of its own environment: nothing that could point a client at another engine. */
export function cleanEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
  }
  for (const name of ['CTR_TEST_RUN', 'NODE_V8_COVERAGE', 'TMPDIR', 'TZ']) {
    const value = process.env[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGQUIT: 3,
    SIGABRT: 6,
    SIGKILL: 9,
    SIGSEGV: 11,
    SIGPIPE: 13,
    SIGTERM: 15,
  }
  return (signal !== null ? numbers[signal] : undefined) ?? 0
}
