/**
 * V8 marks its whole heap, 30 ms of two threads, each time that new buffers are as large as what the heap may still grow: some 10 MB
 * in a daemon that was idle. A young collection takes 0.2 ms.
 */
const WORTH_BYTES = 4 * 1024 * 1024

let bytes = 0

/**
 * To be told of each buffer of a stream, which is garbage as soon as it was passed on: so often that hardly one outlives two young
 * collections. Without --expose-gc (bin/ctrd has it) V8 collects when it thinks best.
 */
export function countBuffer(length: number): void {
  bytes += length
  if (bytes < WORTH_BYTES) return
  bytes = 0
  globalThis.gc?.({ type: 'minor' })
}
