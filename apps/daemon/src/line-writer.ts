import { writeSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'

/** As long as a reader of a non-blocking pipe may take for a line. */
const WAIT_MS = 5
const WAITS = 20

/**
 * Writes lines at once. One that cannot be written is lost: a full disk, a closed terminal (EIO) or a reader that has gone must not
 * end the engine, nor the request that speaks. A reader that sleeps is waited for once; until it reads again the lines after
 * that are lost without a wait, and it is told how many, by `tell`.
 */
export function lineWriter(
  fd: number,
  tell: (lost: number) => string,
  wait: () => void = pause,
): (line: string) => void {
  let lost = 0
  /** A part of a line stands there. */
  let isCut = false

  function write(text: string, waits: number): boolean {
    let rest: Uint8Array = Buffer.from(text)
    for (let waited = 0; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(fd, rest))
        isCut = rest.length > 0
      } catch (error) {
        if (!isErrno(error, 'EAGAIN') || waited === waits) return false
        waited += 1
        wait()
      }
    }
    return true
  }

  return (line) => {
    const before = `${isCut ? '\n' : ''}${lost === 0 ? '' : tell(lost)}`
    if (write(before + line, lost === 0 ? WAITS : 0)) lost = 0
    else lost += 1
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS)
}
