import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import {
  decodeFault,
  describeOp,
  encodeFrame,
  encodeStart,
  FRAMES,
  FrameReader,
  type Program,
  ShimError,
  u32s,
} from '@ctr/shim'
import { unavailable } from './errors.ts'
import { findShim } from './shim-path.ts'

/** What the shim says, in the order in which it does. */
export type Event =
  | { readonly kind: 'ready' | 'started'; readonly pid: number; readonly startTime: bigint }
  /** As a shell shows it, and the signal that ended it or 0. */
  | { readonly kind: 'exit'; readonly status: number; readonly signal: number }

/**
 * One run of `ctr-shim run` (PROTOCOL.md §5): the shim is our child and has our stdio. If we die before `release`,
 * it undoes everything.
 */
export class Launch {
  readonly #program: Program
  readonly #child: ChildProcess
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  readonly #events: Event[] = []
  readonly #warn: (message: string) => void
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #results = 0

  constructor(
    program: Program,
    o: {
      /** Descriptors of ours from 3 on that the process gets. */
      readonly preserveFds: number
      readonly warn: (message: string) => void
      readonly stdio?: 'inherit' | { input: number; output: number }
    },
  ) {
    this.#program = program
    this.#warn = o.warn
    const stdio = o.stdio ?? 'inherit'
    const [input, output] = stdio === 'inherit' ? [0, 1] : [stdio.input, stdio.output]
    this.#child = spawn(findShim(), ['run'], {
      stdio: [
        input,
        output,
        stdio === 'inherit' ? 2 : output,
        'pipe',
        ...Array.from({ length: o.preserveFds }, (_, index) => 3 + index),
      ],
      env: {},
    })
    this.#child.on('error', (error) => this.#fail(unavailable(`ctr-shim: ${error.message}`, error)))
    this.#socket = this.#child.stdio[3] as Socket
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#socket.on('error', () => undefined) // 'close' follows
    this.#socket.on('close', () => this.#fail(unavailable('the shim ended unexpectedly')))
    this.#socket.write(encodeStart(program))
  }

  /** Waits for the next event. Rejects ShimError when an operation failed. */
  async next<K extends Event['kind']>(kind: K): Promise<Event & { kind: K }> {
    for (;;) {
      const event = this.#events.shift()
      if (event?.kind === kind) return event as Event & { kind: K }
      if (event !== undefined) throw unavailable(`ctr-shim: ${event.kind} instead of ${kind}`)
      if (this.#failure !== undefined) throw this.#failure
      await this.#news()
    }
  }

  /** START: goes on behind `pause`, or releases the process. */
  async proceed(): Promise<void> {
    const before = this.#results
    this.#socket.write(encodeFrame('START'))
    while (this.#results === before) {
      if (this.#failure !== undefined) throw this.#failure
      await this.#news()
    }
  }

  signal(number: number): void {
    this.#socket.write(encodeFrame('SIGNAL', u32s(number)))
  }

  /** Gives up: the shim undoes everything and ends. */
  async abandon(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve()
      this.#child.on('exit', () => resolve())
      this.#child.on('error', () => resolve())
    })
    this.#socket.destroy()
    await gone
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #announce(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#announce()
  }

  #onData(chunk: Buffer): void {
    this.#reader.push(chunk)
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      this.#onFrame(frame.type, frame.payload)
    }
    this.#announce()
  }

  #onFrame(type: number, payload: Buffer): void {
    switch (type) {
      case FRAMES.READY:
      case FRAMES.STARTED:
        this.#events.push({
          kind: type === FRAMES.READY ? 'ready' : 'started',
          pid: payload.readUInt32LE(0),
          startTime: payload.readBigUInt64LE(4),
        })
        break
      case FRAMES.EXIT:
        this.#events.push({ kind: 'exit', ...exitOf(payload.readUInt32LE(0)) })
        break
      case FRAMES.FAILED:
        this.#failure ??= this.#shimError(payload)
        break
      case FRAMES.WARNING:
        this.#warn(this.#shimError(payload).message)
        break
      case FRAMES.RESULT:
        this.#results++
        break
    }
  }

  #shimError(payload: Buffer): ShimError {
    const fault = decodeFault(payload)
    const operation = this.#program[fault.index]
    return operation === undefined
      ? new ShimError(fault, fault.op)
      : new ShimError(fault, describeOp(operation), operation)
  }
}

/** Of a wait(2) status. */
function exitOf(status: number): { status: number; signal: number } {
  const signal = status & 0x7f
  return { status: signal === 0 ? (status >> 8) & 0xff : 128 + signal, signal }
}
