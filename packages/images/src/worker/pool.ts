import { availableParallelism } from 'node:os'
import { EngineError } from '@ctr/errdefs'
import { startThread } from '@ctr/linux'
import type { UnpackedTar, UnpackJob } from '../unpack/job.ts'
import type { WorkerReply, WorkerRequest } from './serve.ts'

const MAX_THREADS = 4
/** A thread takes some 100 ms to start and 10 MB to keep. */
const IDLE_MS = 30_000

interface Waiting {
  resolve: (result: UnpackedTar) => void
  reject: (error: unknown) => void
}

/** Threads that unpack layers. They are started when there is work and end when there has been none for a while. */
export class WorkerPool {
  readonly #limit: number
  readonly #threads = new Set<PoolThread>()

  constructor(limit = Math.min(availableParallelism(), MAX_THREADS)) {
    this.#limit = limit
  }

  async unpack(job: UnpackJob): Promise<UnpackedTar> {
    return await this.#pick().run(job)
  }

  /** Starts a thread that will be needed soon, while its work is still arriving. */
  warm(): void {
    this.#pick()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.close()))
  }

  /** An idle thread, else a new one, else the one with the least to do. */
  #pick(): PoolThread {
    const [best] = [...this.#threads].sort((a, b) => a.load - b.load)
    if (best !== undefined && (best.load === 0 || this.#threads.size >= this.#limit)) return best
    const thread = new PoolThread(() => this.#threads.delete(thread))
    this.#threads.add(thread)
    return thread
  }
}

class PoolThread {
  readonly #worker = startThread(new URL('./layer-thread.ts', import.meta.url))
  readonly #waiting = new Map<number, Waiting>()
  readonly #onEnd: () => void
  #lastId = 0
  #timer: NodeJS.Timeout | undefined

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
    this.#worker.on('message', (reply: WorkerReply) => this.#onReply(reply))
    this.#worker.on('error', (error: unknown) => this.#end(error))
    this.#worker.on('exit', () => {
      this.#end(new EngineError('INTERNAL', 'a thread that unpacks layers ended'))
    })
    this.#rest()
  }

  get load(): number {
    return this.#waiting.size
  }

  run(job: UnpackJob): Promise<UnpackedTar> {
    clearTimeout(this.#timer)
    this.#worker.ref()
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker.postMessage({ id, job } satisfies WorkerRequest)
    })
  }

  async close(): Promise<void> {
    this.#onEnd()
    clearTimeout(this.#timer)
    await this.#worker.terminate()
  }

  #onReply(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (this.#waiting.size === 0) this.#rest()
    if (reply.ok) {
      waiting?.resolve(reply.result)
      return
    }
    const code = reply.isInput ? 'INVALID_ARGUMENT' : 'INTERNAL'
    waiting?.reject(new EngineError(code, reply.message))
  }

  #end(error: unknown): void {
    this.#onEnd()
    clearTimeout(this.#timer)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  /** Idle: keeps neither the process alive nor, after a while, itself. */
  #rest(): void {
    this.#worker.unref()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.close(), IDLE_MS)
    this.#timer.unref()
  }
}
