const BATCH_BYTES = 64 * 1024

type Write = (data: Uint8Array) => void

/** Gathers small pieces of output and writes them together, in their order: a million lines are not a million calls. */
export class OutputBatch {
  #buffer: Uint8Array | undefined
  #length = 0
  #write: Write | undefined

  /** Nothing is held back beyond the next `flush`. */
  add(write: Write, part: Uint8Array): void {
    if (write !== this.#write || this.#length + part.length > BATCH_BYTES) this.flush()
    this.#write = write
    if (part.length > BATCH_BYTES) {
      write(part)
      return
    }
    this.#buffer ??= new Uint8Array(BATCH_BYTES)
    this.#buffer.set(part, this.#length)
    this.#length += part.length
  }

  flush(): void {
    const length = this.#length
    if (length === 0) return
    this.#length = 0
    this.#write?.((this.#buffer as Uint8Array).subarray(0, length))
  }
}
