/**
 * Docker's multiplexed stream (8-byte header: stream, three zeros, length as u32 big-endian), taken apart as it arrives:
 * parts of a frame are handed on at once, nothing is copied or held back but an incomplete header.
 */
export const STDOUT = 1
export const STDERR = 2
/** The daemon failed in the middle of the stream; the payload is the reason. */
export const SYSTEM_ERROR = 3

const HEADER_BYTES = 8

export class Demultiplexer {
  readonly #sink: (stream: number, part: Uint8Array) => void
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #stream = 0
  #remaining = 0

  constructor(sink: (stream: number, part: Uint8Array) => void) {
    this.#sink = sink
  }

  /** Throws when the bytes cannot be a multiplexed stream. */
  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#remaining === 0) {
        at = this.#readHeader(chunk, at)
        continue
      }
      const end = Math.min(at + this.#remaining, chunk.length)
      this.#sink(this.#stream, chunk.subarray(at, end))
      this.#remaining -= end - at
      at = end
    }
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + HEADER_BYTES - this.#headerBytes, chunk.length)
    this.#header.set(chunk.subarray(at, end), this.#headerBytes)
    this.#headerBytes += end - at
    if (this.#headerBytes < HEADER_BYTES) return end
    this.#headerBytes = 0
    const [stream = 0, ...zeros] = this.#header.subarray(0, 4)
    if (stream > SYSTEM_ERROR || zeros.some((byte) => byte !== 0)) {
      throw new Error(`unrecognized stream header: ${this.#header.toString('hex')}`)
    }
    this.#stream = stream
    this.#remaining = this.#header.readUInt32BE(4)
    return end
  }
}
