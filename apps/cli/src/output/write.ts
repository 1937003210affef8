import { type LibcFunction, libcFunction } from '../libc.ts'
import { nodeFs } from '../node-modules.ts'

/**
 * Everything the CLI prints goes through here, synchronously: process.stdout costs 8 ms of start-up in the compiled
 * executable, and a synchronous write is its own back-pressure.
 */
const STDOUT_FD = 1
const STDERR_FD = 2

/** 128 + SIGPIPE, what a shell shows for `docker … | head -1`. */
const EXIT_SIGPIPE = 141

export function writeOut(data: string | Uint8Array): void {
  writeAll(STDOUT_FD, data)
}

export function writeErr(data: string | Uint8Array): void {
  writeAll(STDERR_FD, data)
}

export function printLine(line: string): void {
  writeOut(`${line}\n`)
}

export function printError(line: string): void {
  writeErr(`${line}\n`)
}

function writeAll(fd: number, data: string | Uint8Array): void {
  let rest = typeof data === 'string' ? Buffer.from(data) : data
  while (rest.length > 0) {
    const written = tryWrite(fd, rest)
    if (written === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    rest = rest.subarray(written)
  }
}

/** Somebody else made our stdout non-blocking, and it is full: there is no way to wait for it synchronously. */
const RETRY_MS = 2
let libcWrite: LibcFunction | undefined

function tryWrite(fd: number, data: Uint8Array): number {
  // write(2)
  libcWrite ??= libcFunction('write', { args: ['i32', 'usize', 'usize'], returns: 'i64_fast' })
  const written = libcWrite?.(fd, data, data.length) ?? -1
  if (written >= 0) return written
  try {
    // On Node; else it fails again, and says why.
    return nodeFs().writeSync(fd, data)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EAGAIN' || code === 'EINTR') return 0
    // Nobody reads any more.
    if (code === 'EPIPE') process.exit(EXIT_SIGPIPE)
    // A terminal that hung up; the signal decides what becomes of us.
    if (code === 'EIO') return data.length
    throw error
  }
}
