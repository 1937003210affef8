import { readSync } from 'node:fs'
import { printLine, writeOut } from './write.ts'

/** Asks before something is destroyed. Anything but `y` is no; end of input too. */
export function confirm(warning: string): boolean {
  writeOut(`${warning}\nAre you sure you want to continue? [y/N] `)
  const answer = readLine().trim().toLowerCase()
  if (answer === 'y') return true
  if (answer === '') printLine('')
  return false
}

function readLine(): string {
  const byte = Buffer.alloc(1)
  let line = ''
  try {
    while (readSync(0, byte) === 1 && byte[0] !== 10) line += byte.toString('latin1')
  } catch {
    // No stdin: no answer.
  }
  return line
}
