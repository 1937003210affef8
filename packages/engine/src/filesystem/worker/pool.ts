import { EngineError, type ErrorCode } from '@ctr/errdefs'
import { startThread } from '@ctr/linux'
import { countBuffer } from '../../young-buffers.ts'
import { Control, type Reply, type Request, type Task } from './protocol.ts'

/** A stalled client keeps its thread, so there is a limit; a thread has some 10 MB. */
const MAX_THREADS = 32
const IDLE_MS = 60_000
/** A system call that takes longer (a FUSE file of the container, a dead NFS server) is given up with its thread. */
const STALL_MS = 60_000
/** Chunks of output on their way. */
const OUTPUT_CREDITS = 8

/** A failure of a job: its errno is told apart by the caller. */
export class FilesystemError extends EngineError {
  readonly errno: string

  constructor(code: ErrorCode, message: string, errno: string) {
    super(code, message)
    this.errno = errno
  }
}

/**
 * Threads for work in containers' filesystems, one job each: every system call there may block for as long as a container
 * likes (it can mount FUSE when it is privileged), and must not stop the engine or another container's job.
 */
export class ThreadPool implements AsyncDisposable {
  readonly #idle = new Set<Thread>()
  readonly #all = new Set<Thread>()

  /** UNAVAILABLE when too many are busy. Dispose it: what is still running is aborted. */
  start(task: Task): Job {
    const [idle] = this.#idle
    if (idle === undefined && this.#all.size >= MAX_THREADS) {
      throw new EngineError('UNAVAILABLE', 'too many copies from or to containers are running')
    }
    const thread = idle ?? new Thread(() => this.#forget(thread))
    this.#all.add(thread)
    this.#idle.delete(thread)
    return new Job(thread, task, () => {
      if (this.#all.has(thread)) this.#idle.add(thread)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((thread) => thread.end()))
  }

  #forget(thread: Thread): void {
    this.#all.delete(thread)
    this.#idle.delete(thread)
  }
}

class Thread {
  /** Descriptors are also opened and closed by libc calls that Node does not count. */
  readonly worker = startThread(new URL('./filesystem-thread.ts', import.meta.url), {
    trackUnmanagedFds: false,
  })
  readonly #onEnd: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
    this.worker.on('exit', onEnd)
    this.worker.on('error', onEnd)
  }

  busy(): void {
    clearTimeout(this.#timer)
    this.worker.ref()
  }

  /** Keeps neither the process alive nor, after a while, itself. */
  rest(): void {
    this.worker.unref()
    this.#timer = setTimeout(() => void this.end(), IDLE_MS)
    this.#timer.unref()
  }

  /** If it hangs in a system call it stays until the call returns, alone. */
  abandon(): void {
    this.#onEnd()
    this.worker.unref()
    void this.worker.terminate()
  }

  async end(): Promise<void> {
    this.#onEnd()
    clearTimeout(this.#timer)
    await this.worker.terminate()
  }
}

type Failed = Extract<Reply, { type: 'failed' }>

/** A job on its thread. Read `next` until it says `done`. */
export class Job implements AsyncDisposable {
  readonly #thread: Thread
  readonly #onEnd: () => void
  readonly #control = new Control()
  readonly #replies: Reply[] = []
  readonly #watch: NodeJS.Timeout
  #wake = Promise.withResolvers<void>()
  #failure: Error | undefined
  #isEnded = false
  readonly #takesInput: boolean
  #progress = -1
  /** Chunks of input that the job has not dealt with. */
  #given = 0

  constructor(thread: Thread, task: Task, onEnd: () => void) {
    this.#thread = thread
    this.#onEnd = onEnd
    this.#takesInput = task.kind === 'unpack'
    thread.busy()
    const { worker } = thread
    worker.on('message', this.#onReply)
    worker.on('error', this.#onCrash)
    worker.on('exit', this.#onCrash)
    this.#control.allow(OUTPUT_CREDITS)
    this.#watch = setInterval(() => this.#checkProgress(), STALL_MS)
    this.#watch.unref()
    this.#post({ type: 'task', task, control: this.#control.buffer })
  }

  /** The next reply that is no failure; the failure is thrown. */
  async next(): Promise<Exclude<Reply, Failed>> {
    for (;;) {
      const reply = this.#replies.shift()
      if (reply?.type === 'failed') {
        throw new FilesystemError(reply.code, reply.message, reply.errno)
      }
      if (reply?.type === 'chunk') {
        this.#control.allow(1)
        countBuffer(reply.chunk.length)
      }
      if (reply !== undefined) return reply
      if (this.#failure !== undefined) throw this.#failure
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
  }

  /** Chunks of input that are still on their way. */
  get given(): number {
    return this.#given
  }

  /** Hands the chunk over, with all of the buffer that it is in. */
  give(chunk: Uint8Array): void {
    this.#given += 1
    countBuffer(chunk.length)
    this.#thread.worker.postMessage({ type: 'chunk', chunk } satisfies Request, [
      chunk.buffer as ArrayBuffer,
    ])
  }

  endInput(): void {
    this.#given += 1
    this.#post({ type: 'end' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnded) {
      this.#control.abort()
      this.#post({ type: 'abort' })
    }
    // What it has open must be closed before the container may go on.
    while (!this.#isEnded) {
      this.#replies.length = 0
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
  }

  #post(request: Request): void {
    this.#thread.worker.postMessage(request)
  }

  readonly #onReply = (reply: Reply): void => {
    if (reply.type === 'taken') this.#given -= 1
    this.#replies.push(reply)
    if (reply.type === 'done' || reply.type === 'failed') {
      this.#finish()
      this.#thread.rest()
      this.#onEnd()
    }
    this.#wake.resolve()
  }

  readonly #onCrash = (reason: unknown): void => {
    const text = reason instanceof Error ? reason.message : String(reason)
    this.#fail(new EngineError('INTERNAL', `a thread for a container's filesystem ended: ${text}`))
  }

  #checkProgress(): void {
    const { progress, isExhausted } = this.#control
    const isWaitingForUs = this.#takesInput ? this.#given === 0 : isExhausted
    const isStalled = progress === this.#progress && !isWaitingForUs
    this.#progress = progress
    if (!isStalled) return
    this.#thread.abandon()
    this.#fail(new EngineError('INTERNAL', 'the filesystem of the container does not answer'))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#finish()
    this.#wake.resolve()
  }

  #finish(): void {
    this.#isEnded = true
    clearInterval(this.#watch)
    const { worker } = this.#thread
    worker.off('message', this.#onReply)
    worker.off('error', this.#onCrash)
    worker.off('exit', this.#onCrash)
  }
}
