import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { makeDirectory } from './root-lock.ts'

/** Writes our pid; a file whose process is gone, or is not a ctrd any more, is replaced. */
export function writePidFile(path: string): Disposable {
  const other = readPid(path)
  if (other !== undefined && other !== process.pid && isCtrd(other)) {
    throw new EngineError('CONFLICT', `process with PID ${other} is still running (${path})`)
  }
  try {
    makeDirectory(dirname(path))
    writeFileSync(path, `${process.pid}\n`)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('INTERNAL', `cannot write the pid file: ${why}`, { cause })
  }
  return {
    [Symbol.dispose]: () => {
      if (readPid(path) === process.pid) rmSync(path, { force: true })
    },
  }
}

function readPid(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined
    throw error
  }
}

/** From its source, and as bin/ctrd. */
const MAIN = /apps\/daemon\/(?:src\/main\.ts|dist\/main\.mjs)/

/** A pid is soon given to another process: the number alone says nothing. */
function isCtrd(pid: number): boolean {
  try {
    return MAIN.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  } catch {
    // Gone, or going.
    return false
  }
}
