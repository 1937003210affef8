import type { RunReport } from './container.ts'

/**
 * Docker's multiplexed stream: each chunk of output is preceded by eight bytes,
 * `u8 stream, 0, 0, 0, u32 big-endian length`. Engine API v1.51 ContainerAttach, "Stream format".
 */
export const STDOUT = 1
export const STDERR = 2
/** An error of the daemon itself, after which the stream ends. */
const SYSTEM_ERROR = 3
/** Ours, the last frame of `POST /containers/run`: a RunReport. */
export const REPORT = 4
/** Ours, the last frame of `POST /commands`: one byte, the exit status of the client. */
export const EXIT = 5

export interface StdcopyFrame {
  stream: number
  payload: Buffer
}

const HEADER_BYTES = 8
/** A header that says more than this is not Docker's: the stream is not multiplexed. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024

export function encodeFrame(stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.byteLength)
  frame.writeUInt32BE(stream * 0x1000000, 0)
  frame.writeUInt32BE(payload.byteLength, 4)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** The last frame of `POST /containers/run` and `POST /containers/{id}/exec/run`. */
export function encodeReport(report: RunReport): Buffer {
  return encodeFrame(REPORT, Buffer.from(`${JSON.stringify(report)}\n`))
}

/** The last frames of `POST /commands`: a line for standard error, unless it is empty, and the client's exit status. */
export function encodeEnd({ text, status }: { text: string; status: number }): Buffer {
  const exit = encodeFrame(EXIT, Uint8Array.of(status))
  return text === '' ? exit : Buffer.concat([encodeFrame(STDERR, Buffer.from(`${text}\n`)), exit])
}

/** Takes the stream in pieces of any size and gives whole frames back. */
export class FrameDecoder {
  readonly #lastKind: number
  #pending: Buffer = Buffer.alloc(0)

  /** `lastKind`: frames of a greater kind are an error. */
  constructor(lastKind = SYSTEM_ERROR) {
    this.#lastKind = lastKind
  }

  /** Throws when the bytes cannot be a multiplexed stream. */
  push(chunk: Uint8Array): StdcopyFrame[] {
    let rest =
      this.#pending.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk])
    const frames: StdcopyFrame[] = []
    while (rest.byteLength >= HEADER_BYTES) {
      const stream = rest.readUInt8(0)
      const length = rest.readUInt32BE(4)
      if (stream > this.#lastKind || rest.readUIntBE(1, 3) !== 0 || length > MAX_FRAME_BYTES) {
        throw new Error(
          `unrecognized stream header: ${rest.subarray(0, HEADER_BYTES).toString('hex')}`,
        )
      }
      if (rest.byteLength < HEADER_BYTES + length) break
      frames.push({ stream, payload: rest.subarray(HEADER_BYTES, HEADER_BYTES + length) })
      rest = rest.subarray(HEADER_BYTES + length)
    }
    this.#pending = rest
    return frames
  }

  /** Bytes of a frame that has not ended: not 0 at the end of a stream that was cut. */
  get pendingBytes(): number {
    return this.#pending.byteLength
  }
}
