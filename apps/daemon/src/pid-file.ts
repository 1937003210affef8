import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'

/** Writes our pid; a file whose process is gone, or is not a ctrd any more, is replaced. */
export function writePidFile(path: string): Disposable {
  const other = readPid(path)
  if (other !== undefined && other !== process.pid && isCtrd(other)) {
    throw new EngineError('CONFLICT', `process with PID ${other} is still running (${path})`)
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${process.pid}\n`)
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
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** A pid is soon given to another process: the number alone says nothing. */
function isCtrd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('apps/daemon/src/main.ts')
  } catch {
    // Gone, or going.
    return false
  }
}
