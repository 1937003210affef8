import { FrameDecoder } from '@ctr/api'

/** moby daemon/health.go maxOutputLen */
const MAX_OUTPUT_BYTES = 4096

/** The beginning of what a probe writes, both streams in one; the rest is read and dropped. */
export class ProbeOutput {
  readonly #frames = new FrameDecoder()
  #bytes: Buffer = Buffer.alloc(0)
  #isTruncated = false

  /** A piece of a multiplexed stream. */
  push(chunk: Uint8Array): void {
    for (const { payload } of this.#frames.push(chunk)) {
      const room = MAX_OUTPUT_BYTES - this.#bytes.byteLength
      if (payload.byteLength > room) this.#isTruncated = true
      if (room > 0) this.#bytes = Buffer.concat([this.#bytes, payload.subarray(0, room)])
    }
  }

  toString(): string {
    return `${this.#bytes.toString()}${this.#isTruncated ? '...' : ''}`
  }
}
