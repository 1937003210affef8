import { libcFunction } from '../libc.ts'
import { isTerminal } from '../node-modules.ts'

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** Of the terminal on stdout, else on stderr or stdin. Undefined when there is none. */
export function terminalSize(): TerminalSize | undefined {
  for (const fd of [1, 2, 0]) {
    const size = sizeOf(fd)
    if (size !== undefined) return size
  }
  return undefined
}

/** Of one terminal, now and whenever it is asked. */
export function terminalColumns(fd: 1 | 2): () => number | undefined {
  return () => sizeOf(fd)?.columns
}

/** Undefined: no terminal, or one without a size. */
function sizeOf(fd: number): TerminalSize | undefined {
  if (!isTerminal(fd)) return undefined
  const [rows = 0, columns = 0] = sizeByIoctl(fd) ?? sizeByNode(fd)
  return rows > 0 && columns > 0 ? { rows, columns } : undefined
}

/** asm-generic/ioctls.h: of x86-64 and arm64. */
const TIOCGWINSZ = 0x5413
let ioctl: ReturnType<typeof libcFunction>

/** struct winsize of ioctl_tty(2): rows, columns, and two that nobody sets. */
function sizeByIoctl(fd: number): Uint16Array | undefined {
  ioctl ??= libcFunction('ioctl', { args: ['i32', 'usize', 'usize'], returns: 'i32' })
  const bytes = new Uint8Array(8)
  return ioctl?.(fd, TIOCGWINSZ, bytes) === 0 ? new Uint16Array(bytes.buffer) : undefined
}

function sizeByNode(fd: number): readonly number[] {
  return new (process.getBuiltinModule('node:tty').WriteStream)(fd).getWindowSize().toReversed()
}
