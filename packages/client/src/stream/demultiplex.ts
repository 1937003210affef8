/**
 * Docker's multiplexed stream (8-byte header: stream, three zeros, length as u32 big-endian), taken apart as it arrives:
 * parts of a frame are handed on at once, nothing is copied or held back but an incomplete header.
 */
const STDOUT = 1
export const STDERR = 2
/** The daemon failed in the middle of the stream; the payload is the reason. */
export const SYSTEM_ERROR = 3
/** Only from `POST /containers/run`: how it ended. The last frame. */
export const REPORT = 4

const HEADER_BYTES = 8

export class Demultiplexer {
  readonly #sink: (stream: number, part: Uint8Array) => void
  readonly #lastKind: number
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #stream = 0
  #remaining = 0

  /** `lastKind`: frames of a greater kind are an error. */
  constructor(sink: (stream: number, part: Uint8Array) => void, lastKind = SYSTEM_ERROR) {
    this.#sink = sink
    this.#lastKind = lastKind
  }

  /** Throws when the bytes cannot be a multiplexed stream. */
  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#remaining === 0) {
        at = this.#takeHeader(chunk, at) ? at + HEADER_BYTES : this.#readHeader(chunk, at)
        continue
      }
      const end = Math.min(at + this.#remaining, chunk.length)
      this.#sink(this.#stream, chunk.subarray(at, end))
      this.#remaining -= end - at
      at = end
    }
  }

  /** What nearly all are: a header of output that is there in full. */
  #takeHeader(chunk: Uint8Array, at: number): boolean {
    if (this.#headerBytes > 0 || at + HEADER_BYTES > chunk.length) return false
    const stream = chunk[at] as number
    if (stream !== STDOUT && stream !== STDERR) return false
    if (chunk[at + 1] !== 0 || chunk[at + 2] !== 0 || chunk[at + 3] !== 0) return false
    this.#stream = stream
    const byte = (index: number): number => chunk[at + index] as number
    this.#remaining = ((byte(4) << 24) | (byte(5) << 16) | (byte(6) << 8) | byte(7)) >>> 0
    return true
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + HEADER_BYTES - this.#headerBytes, chunk.length)
    this.#header.set(chunk.subarray(at, end), this.#headerBytes)
    this.#headerBytes += end - at
    if (this.#headerBytes < HEADER_BYTES) return end
    this.#headerBytes = 0
    const [stream = 0, ...zeros] = this.#header.subarray(0, 4)
    if (stream > this.#lastKind || zeros.some((byte) => byte !== 0)) {
      throw new Error(`unrecognized stream header: ${this.#header.toString('hex')}`)
    }
    this.#stream = stream
    this.#remaining = this.#header.readUInt32BE(4)
    return end
  }
}
