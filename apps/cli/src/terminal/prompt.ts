import { readSync } from 'node:fs'
import { isTerminal } from '../node-modules.ts'
import { writeErr } from '../output/write.ts'
import { enterRawMode } from './raw-mode.ts'

const CTRL_C = 3
const CTRL_D = 4
const BACKSPACE = 127

export async function promptLine(text: string): Promise<string> {
  writeErr(text)
  return readLine().trim()
}

/** Nothing is shown while typing. */
export async function promptPassword(text: string): Promise<string> {
  writeErr(text)
  if (!isTerminal(0)) return readLine()
  const restore = enterRawMode()
  try {
    return readHidden()
  } finally {
    restore()
    writeErr('\n')
  }
}

function readLine(): string {
  const bytes: number[] = []
  const byte = Buffer.alloc(1)
  while (readSync(0, byte) === 1 && byte[0] !== 10) bytes.push(byte[0] as number)
  return Buffer.from(bytes).toString().replace(/\r$/, '')
}

function readHidden(): string {
  const bytes: number[] = []
  const byte = Buffer.alloc(1)
  while (readSync(0, byte) === 1) {
    const code = byte[0] as number
    if (code === 13 || code === 10 || code === CTRL_D) break
    if (code === CTRL_C) process.exit(130)
    if (code === BACKSPACE) bytes.pop()
    else bytes.push(code)
  }
  return Buffer.from(bytes).toString()
}
