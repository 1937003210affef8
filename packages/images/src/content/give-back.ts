import { IncomingMessage } from 'node:http'
import { FileInput } from './file-input.ts'

/** What to do with chunks of `source`, or what is made of them, that are done with: nothing, but of sources whose chunks nobody else holds. */
export function giverOf(source: AsyncIterable<Buffer>): (chunk: Buffer) => void {
  if (source instanceof FileInput) return (chunk) => source.giveBack(chunk)
  return source instanceof IncomingMessage ? giveBack : () => {}
}

/**
 * Frees the memory of a chunk at once. A chunk of a socket is an allocation outside V8's heap; a hundred megabytes of them make
 * the collector run over the whole heap again and again (100 ms on the main thread and more beside it, for a layer of 130 MB).
 * A chunk that shares its memory with others is left alone.
 */
function giveBack(chunk: Buffer): void {
  const { buffer } = chunk
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== chunk.length) return
  buffer.transfer(0)
}
