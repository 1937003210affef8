import type { WriteStream } from 'node:tty'
import { isTerminal } from '../node-modules.ts'

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** Of the terminal on stdout, else on stderr or stdin. Undefined when there is none. */
export function terminalSize(): TerminalSize | undefined {
  for (const fd of [1, 2, 0]) {
    if (!isTerminal(fd)) continue
    const stream = new (process.getBuiltinModule('node:tty').WriteStream)(fd)
    const [columns, rows] = stream.getWindowSize()
    if (columns > 0 && rows > 0) return { rows, columns }
  }
  return undefined
}

/** Of one terminal, now and whenever it is asked. */
export function terminalColumns(fd: 1 | 2): () => number | undefined {
  let stream: WriteStream | undefined
  return () => {
    if (!isTerminal(fd)) return undefined
    stream ??= new (process.getBuiltinModule('node:tty').WriteStream)(fd)
    return stream.getWindowSize()[0]
  }
}
