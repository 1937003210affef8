import { writev } from 'node:fs'
import { promisify } from 'node:util'

const writevAsync = promisify(writev)
/** Linux takes up to 1024 buffers at once. writev(2) */
const MAX_VECTOR = 1024

/** Returns the position behind what was written. */
export async function writeAll(
  fd: number,
  chunks: readonly Buffer[],
  start: number,
): Promise<number> {
  let position = start
  const pending = [...chunks]
  while (pending.length > 0) {
    const { bytesWritten } = await writevAsync(fd, pending.slice(0, MAX_VECTOR), position)
    position += bytesWritten
    let done = bytesWritten
    for (let first = pending[0]; first !== undefined && done >= first.length; first = pending[0]) {
      done -= first.length
      pending.shift()
    }
    if (pending[0] !== undefined) pending[0] = pending[0].subarray(done)
  }
  return position
}
