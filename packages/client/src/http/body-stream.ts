/**
 * Bytes of a response or of a hijacked connection, pulled by `for await`. The producer is paused while more than
 * HIGH_WATER_BYTES wait. Leaving the loop early cancels the producer.
 */
const HIGH_WATER_BYTES = 1024 * 1024

export interface BodySource {
  pause(): void
  resume(): void
  /** The reader left early. */
  cancel(): void
  /** Nothing more will be pushed. */
  ended(): void
}

export class BodyStream implements AsyncIterable<Uint8Array> {
  readonly #source: BodySource
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #isPaused = false
  #isEnded = false
  #error: unknown
  #wake: (() => void) | undefined

  constructor(source: BodySource) {
    this.#source = source
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > HIGH_WATER_BYTES && !this.#isPaused) {
      this.#isPaused = true
      this.#source.pause()
    }
    this.#notify()
  }

  end(error?: unknown): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#error = error
    this.#source.ended()
    this.#notify()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) {
          this.#release(chunk.length)
          yield chunk
          continue
        }
        if (this.#isEnded) break
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      if (!this.#isEnded) this.#source.cancel()
    }
    if (this.#error !== undefined) throw this.#error
  }

  /** Everything, up to `maxBytes`. */
  async bytes(maxBytes = 256 * 1024 * 1024): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of this) {
      size += chunk.length
      if (size > maxBytes) throw new Error(`the response is larger than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    return chunks.length === 1 ? Buffer.from(chunks[0] as Uint8Array) : Buffer.concat(chunks)
  }

  #release(size: number): void {
    this.#bytes -= size
    if (!this.#isPaused || this.#bytes > HIGH_WATER_BYTES / 2) return
    this.#isPaused = false
    this.#source.resume()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
