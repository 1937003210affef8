import type { Readable } from 'node:stream'
import { textOfBytes } from '@ctr/api/raw-bytes'
import { EngineError } from '@ctr/errdefs'

/** More is left to the client, which has to encode it only once. */
const MAX_WORDS = 16 * 1024

/** Arguments of a program as the kernel has them: any bytes but NUL, and NUL after each. INVALID_ARGUMENT. */
export async function readWords(input: Readable): Promise<readonly string[]> {
  const chunks: Buffer[] = []
  for await (const chunk of input) chunks.push(chunk as Buffer)
  const words = textOfBytes(Buffer.concat(chunks)).split('\0')
  if (words.pop() !== '' || words.length === 0 || words.length > MAX_WORDS) {
    throw new EngineError('INVALID_ARGUMENT', 'a command is words, each with NUL behind it')
  }
  return words
}
