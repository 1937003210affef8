import { libcFunction } from '../libc.ts'
import { isTerminal } from '../node-modules.ts'

/**
 * Raw mode as cfmakeraw(3) defines it: bytes pass unchanged in both directions. Node's own raw mode leaves output
 * processing on (libuv sets ONLCR), which breaks full-screen programs in the container.
 */
export function enterRawMode(): () => void {
  const restore = process.versions['bun'] === undefined ? rawByNode() : rawByTermios()
  let isRestored = false
  const once = (): void => {
    if (isRestored) return
    isRestored = true
    process.off('exit', once)
    restore()
  }
  // Every way out that runs code at all: return, exception, process.exit. Signals end in process.exit (signals.ts).
  process.on('exit', once)
  return once
}

export function stdinIsTerminal(): boolean {
  return isTerminal(STDIN_FD)
}

const STDIN_FD = 0
/** termios(3): tcsetattr's "now". */
const TCSANOW = 0
/** Larger than struct termios on every Linux architecture (60 bytes on x86-64 and arm64). */
const TERMIOS_BYTES = 256

/** Bun can call libc: no process, no module. */
function rawByTermios(): () => void {
  const getAttributes = libcFunction('tcgetattr', { args: ['i32', 'usize'], returns: 'i32' })
  const setAttributes = libcFunction('tcsetattr', { args: ['i32', 'i32', 'usize'], returns: 'i32' })
  const makeRaw = libcFunction('cfmakeraw', { args: ['usize'], returns: 'void' })
  const saved = new Uint8Array(TERMIOS_BYTES)
  if (getAttributes?.(STDIN_FD, saved) !== 0) return () => {}
  const raw = saved.slice()
  makeRaw?.(raw)
  setAttributes?.(STDIN_FD, TCSANOW, raw)
  return () => void setAttributes?.(STDIN_FD, TCSANOW, saved)
}

function rawByNode(): () => void {
  process.stdin.setRawMode(true)
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
  // Gives back what libuv saved, output processing included.
  return () => void process.stdin.setRawMode(false)
}
