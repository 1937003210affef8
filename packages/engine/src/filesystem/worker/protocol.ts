import type { PathStat } from '@ctr/api'
import type { ErrorCode } from '@ctr/errdefs'
import type { Change, ChangesJob } from '../layer-changes.ts'
import type { PackJob } from '../pack.ts'
import type { UnpackJob } from '../unpack/unpack.ts'

/** One job at a time. Paths are of the host; what is below `rootPath` belongs to a container. */
export type Task =
  | { readonly kind: 'stat'; readonly rootPath: string; readonly path: string }
  | ({ readonly kind: 'pack' } & PackJob)
  | ({ readonly kind: 'unpack' } & UnpackJob)
  | ({ readonly kind: 'changes' } & ChangesJob)

export type Request =
  | { readonly type: 'task'; readonly task: Task; readonly control: SharedArrayBuffer }
  /** Input of `unpack`. */
  | { readonly type: 'chunk'; readonly chunk: Uint8Array }
  | { readonly type: 'end' }
  | { readonly type: 'abort' }

/** Errors are plain data: classes do not survive the way between threads. */
export type Reply =
  | { readonly type: 'stat'; readonly stat: PathStat }
  | { readonly type: 'chunk'; readonly chunk: Uint8Array }
  /** A chunk of input has been dealt with. */
  | { readonly type: 'taken' }
  | { readonly type: 'done'; readonly changes?: readonly Change[] }
  | {
      readonly type: 'failed'
      readonly code: ErrorCode
      readonly errno: string
      readonly message: string
    }

/** Words of the memory that both threads see. */
const CREDITS = 0
const PROGRESS = 1
const ABORTED = 2
const WORDS = 3

/** How the engine's thread steers a job that never returns to its event loop. */
export class Control {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array<SharedArrayBuffer>

  constructor(buffer = new SharedArrayBuffer(4 * WORDS)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
  }

  /** Allows `count` more chunks of output. */
  allow(count: number): void {
    Atomics.add(this.#words, CREDITS, count)
    Atomics.notify(this.#words, CREDITS)
  }

  /** Waits until a chunk may be sent, and takes the permission. For the worker. */
  take(): void {
    while (Atomics.load(this.#words, CREDITS) <= 0) {
      this.beat()
      Atomics.wait(this.#words, CREDITS, 0)
    }
    this.beat()
    Atomics.sub(this.#words, CREDITS, 1)
  }

  /** True while the worker may wait for `take`: then it is not the worker that is slow. */
  get isExhausted(): boolean {
    return Atomics.load(this.#words, CREDITS) <= 0
  }

  /** Ends the job at its next `beat` or `take`. */
  abort(): void {
    Atomics.store(this.#words, ABORTED, 1)
    this.allow(1)
  }

  /** A sign of life; throws when nobody wants the result any more. For the worker. */
  beat(): void {
    Atomics.add(this.#words, PROGRESS, 1)
    if (Atomics.load(this.#words, ABORTED) === 1) throw new Error('aborted')
  }

  get progress(): number {
    return Atomics.load(this.#words, PROGRESS)
  }
}
