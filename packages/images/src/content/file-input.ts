import { close, read } from 'node:fs'
import { Readable } from 'node:stream'

/** Small enough that parsing one takes no more than half a millisecond of the thread that has to answer others, too. */
const CHUNK_BYTES = 512 << 10

/**
 * An open file from `start` to its end; its position, which may be another process's too, is neither heeded nor changed. Chunks that are given back are read into again: fresh memory for each would cost as
 * much as reading. Closes the descriptor.
 */
export class FileInput extends Readable {
  readonly #fd: number
  readonly #own = new WeakSet<ArrayBufferLike>()
  readonly #free: Buffer[] = []
  #position: number

  constructor(fd: number, start: number) {
    // Object mode: one chunk is not joined to the next.
    super({ objectMode: true, highWaterMark: 2 })
    this.#fd = fd
    this.#position = start
  }

  override _read(): void {
    const buffer = this.#free.pop() ?? this.#newBuffer()
    read(this.#fd, buffer, 0, CHUNK_BYTES, this.#position, (error, length) => {
      if (error !== null) {
        this.destroy(error)
        return
      }
      this.#position += length
      this.push(length === 0 ? null : buffer.subarray(0, length))
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    close(this.#fd, (closeError) => done(error ?? closeError ?? null))
  }

  /** Nobody uses the chunk any more. What is no chunk of this file is left alone. */
  giveBack(chunk: Buffer): void {
    if (this.#own.has(chunk.buffer)) this.#free.push(Buffer.from(chunk.buffer as ArrayBuffer))
  }

  #newBuffer(): Buffer {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#own.add(buffer.buffer)
    return buffer
  }
}
