import { closeSync, openSync, readSync } from 'node:fs'

/**
 * How far a file has been written by another thread, in shared memory: one word, bytes above and the state in its two
 * lowest bits, so that a waiting reader sees a change of either. The file itself is the buffer between the
 * thread that receives bytes and the worker that reads them, so neither ever waits for the other's memory.
 */
const STATE_GROWING = 0n
const STATE_COMPLETE = 1n
const STATE_BROKEN = 2n
const STATE_BITS = 2n
const STATE_MASK = 3n
/** Only how soon a reader notices that its writer's thread is gone. */
const WAIT_MS = 10_000
const READ_BYTES = 1 << 20

export type Progress = SharedArrayBuffer

export function newProgress(): Progress {
  return new SharedArrayBuffer(8)
}

/** A file that is already complete. */
export function completeProgress(bytes: number): Progress {
  const progress = newProgress()
  report(progress, bytes)
  complete(progress)
  return progress
}

/** `bytes` of the file are now readable. */
export function report(progress: Progress, bytes: number): void {
  set(progress, (BigInt(bytes) << STATE_BITS) | STATE_GROWING)
}

export function complete(progress: Progress): void {
  set(progress, (get(progress) & ~STATE_MASK) | STATE_COMPLETE)
}

/** The writer failed: readers throw. */
export function breakOff(progress: Progress): void {
  set(progress, (get(progress) & ~STATE_MASK) | STATE_BROKEN)
}

/** The bytes of the file as they come. With `reuse` a chunk is valid until the next one is asked for. */
export async function* readGrowing(
  path: string,
  progress: Progress,
  options: { reuse: boolean },
): AsyncGenerator<Buffer> {
  const words = new BigInt64Array(progress)
  const fd = openSync(path, 'r')
  const shared = options.reuse ? Buffer.allocUnsafeSlow(READ_BYTES) : undefined
  let offset = 0
  try {
    for (;;) {
      const word = Atomics.load(words, 0)
      const state = word & STATE_MASK
      if (state === STATE_BROKEN) throw new Error('the source broke off')
      const available = Number(word >> STATE_BITS)
      if (offset < available) {
        const buffer = shared ?? Buffer.allocUnsafeSlow(READ_BYTES)
        const length = readSync(fd, buffer, 0, Math.min(buffer.length, available - offset), offset)
        if (length === 0) throw new Error(`${path} is shorter than reported`)
        offset += length
        yield buffer.subarray(0, length)
        continue
      }
      if (state === STATE_COMPLETE) return
      const wait = Atomics.waitAsync(words, 0, word, WAIT_MS)
      if (wait.async) await wait.value
    }
  } finally {
    closeSync(fd)
  }
}

function get(progress: Progress): bigint {
  return Atomics.load(new BigInt64Array(progress), 0)
}

/** Only the writer's thread calls this. */
function set(progress: Progress, word: bigint): void {
  const words = new BigInt64Array(progress)
  Atomics.store(words, 0, word)
  Atomics.notify(words, 0)
}
