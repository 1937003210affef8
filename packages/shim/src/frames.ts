import { constants } from 'node:os'
import { OPS, type Op, type OpName } from './ops.ts'

/** Frame types (PROTOCOL.md §2). A test compares them with `ctr-shim --print-protocol`. */
export const FRAMES = {
  STARTED: 16,
  FAILED: 17,
  WARNING: 18,
  EXIT: 19,
  OOM: 20,
  DONE: 21,
  STATE: 22,
  RESULT: 23,
  READY: 24,
  LISTENING: 25,
  SIGNAL: 32,
  RESIZE: 33,
  START: 34,
  ATTACH: 35,
  CLOSE_STDIN: 36,
  LOG_REOPEN: 37,
  FORWARD: 38,
  UNFORWARD: 39,
  RESOLVER: 40,
} as const

export type FrameName = keyof typeof FRAMES

const HEADER_BYTES = 8
/** No frame of the shim is near this; more means that the peer is not a shim. */
const PAYLOAD_MAX_BYTES = 64 * 1024

export interface Frame {
  readonly type: number
  readonly payload: Buffer
}

export function encodeFrame(type: FrameName, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + payload.length)
  frame[0] = FRAMES[type]
  frame.writeUInt32BE(payload.length, 4)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** A payload of u32 values. */
export function u32s(...values: number[]): Buffer {
  const payload = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) payload.writeUInt32LE(value, 4 * i)
  return payload
}

/** Types of Docker's stream frames, which have the same header: output of the process among the frames of its shim. */
const OUTPUT_TYPES: readonly number[] = [1, 2]

/** Cuts a byte stream into frames; keeps what is incomplete. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes of a frame of output that have not come yet. */
  #passing = 0
  /** Takes output as it comes, headers included, in pieces that need not be whole frames. Without it, output is a fault. */
  onOutput: ((bytes: Buffer) => void) | undefined

  /** Bytes received and not yet part of a frame. */
  get rest(): Buffer {
    return this.#rest
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
  }

  /** The chunks that were pushed may be used for something else from now on. */
  copyRest(): void {
    if (this.#rest.length > 0) this.#rest = Buffer.from(this.#rest)
  }

  next(): Frame | undefined {
    this.#passOutput()
    if (this.#rest.length < HEADER_BYTES) return undefined
    const length = this.#rest.readUInt32BE(4)
    if (length > PAYLOAD_MAX_BYTES) throw new Error(`shim: a frame of ${length} bytes`)
    const end = HEADER_BYTES + length
    if (this.#rest.length < end) return undefined
    const frame = { type: this.#rest.readUInt8(0), payload: this.#rest.subarray(HEADER_BYTES, end) }
    this.#rest = this.#rest.subarray(end)
    return frame
  }

  /** All that lies before the next other frame, in one piece: whoever gets it writes it on. */
  #passOutput(): void {
    const { onOutput } = this
    if (onOutput === undefined) return
    const bytes = this.#rest
    let end = 0
    for (;;) {
      if (this.#passing === 0) {
        const isOutput =
          bytes.length - end >= HEADER_BYTES && OUTPUT_TYPES.includes(bytes.readUInt8(end))
        if (!isOutput) break
        this.#passing = HEADER_BYTES + bytes.readUInt32BE(end + 4)
      }
      const length = Math.min(this.#passing, bytes.length - end)
      this.#passing -= length
      end += length
      if (this.#passing > 0) break
    }
    if (end === 0) return
    this.#rest = bytes.subarray(end)
    onOutput(bytes.subarray(0, end))
  }
}

/** An operation of the launch program failed; everything that the program had made was undone. */
export class ShimError extends Error {
  override readonly name: string = 'ShimError'
  readonly op: OpName
  /** Position in the program, from 0. */
  readonly index: number
  readonly errno: number
  /** Name of the errno, e.g. `ENOENT`. */
  readonly code: string
  /** The failing step inside the operation, e.g. `move_mount`; may be empty. */
  readonly detail: string
  /** The operation with its fields, where the program is known: it is not after a return of the daemon. */
  readonly operation: Op | undefined

  constructor(fault: Fault, description: string, operation?: Op) {
    const code = errnoName(fault.errno)
    super(`${description}${fault.detail === '' ? '' : `: ${fault.detail}`}: ${code}`)
    this.op = fault.op
    this.index = fault.index
    this.errno = fault.errno
    this.code = code
    this.detail = fault.detail
    this.operation = operation
  }
}

/** Payload of FAILED and WARNING. */
export interface Fault {
  readonly index: number
  readonly op: OpName
  readonly errno: number
  readonly detail: string
}

export function decodeFault(payload: Buffer): Fault {
  const code = payload.readUInt32LE(4)
  const length = payload.readUInt32LE(12)
  return {
    index: payload.readUInt32LE(0),
    op: opName(code),
    errno: payload.readUInt32LE(8),
    detail: payload.toString('utf8', 16, 16 + length),
  }
}

function opName(code: number): OpName {
  for (const [name, shape] of Object.entries(OPS)) if (shape.code === code) return name as OpName
  return 'exec'
}

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .map(([name, number]): [number, string] => [number, name])
    .reverse(), // EAGAIN before EWOULDBLOCK
)

export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`
}
