import { createReadStream, readFileSync } from 'node:fs'

/** Opening a stream takes as long as reading this much. */
const SMALL_BYTES = 128 << 10
const READ_BYTES = 256 << 10

/** The bytes of a regular file that nobody changes. A small one is read at once: contexts are made of them. */
export async function* fileBytes(
  host: string | Buffer,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (size === 0) return
  if (size <= SMALL_BYTES) yield readFileSync(host)
  else yield* createReadStream(host, { highWaterMark: READ_BYTES, signal })
}
