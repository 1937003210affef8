import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** One JSON document and a line feed; waits for a slow client. */
export async function writeLine(output: Writable, document: unknown): Promise<void> {
  if (output.destroyed || output.writableEnded) return
  if (output.write(`${JSON.stringify(document)}\r\n`)) return
  await Promise.race([once(output, 'drain'), once(output, 'close')])
}
