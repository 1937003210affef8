import type { Readable, Writable } from 'node:stream'
import { CLIENT_GONE } from './client-gone.ts'

/**
 * All of `source` as the rest of the answer; resolves when it is on its way. Rejects if either breaks off, and then `source` is
 * destroyed. As `pipeline`, which makes an exception for each stream that ends well: half the time of a small answer.
 */
export async function sendStream(source: Readable, output: Writable): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  source.once('error', reject)
  source.once('close', () => {
    if (!source.readableEnded) reject(source.errored ?? CLIENT_GONE)
  })
  output.once('error', reject)
  output.once('finish', resolve)
  output.once('close', () => reject(CLIENT_GONE))
  if (output.destroyed) reject(CLIENT_GONE)
  else source.pipe(output)
  try {
    await promise
  } catch (error) {
    source.destroy()
    throw error
  }
}
