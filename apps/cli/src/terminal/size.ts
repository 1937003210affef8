export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** Of the terminal on stdout, else on stderr or stdin. Undefined when there is none. */
export function terminalSize(): TerminalSize | undefined {
  // Loaded when needed: 2 ms in the compiled executable.
  const { isatty, WriteStream } = process.getBuiltinModule('node:tty')
  for (const fd of [1, 2, 0]) {
    if (!isatty(fd)) continue
    const stream = new WriteStream(fd)
    const [columns, rows] = stream.getWindowSize()
    if (columns > 0 && rows > 0) return { rows, columns }
  }
  return undefined
}
