import { EngineError } from '@ctr/errdefs'

/** What `wait` answers. */
export interface WaitResult {
  readonly exitCode: number
  /** Why the container could not be removed or started. */
  readonly error?: string
}

type Resolve = (result: WaitResult) => void

interface Waiting {
  readonly exit: Set<Resolve>
  readonly attempt: Set<Resolve>
  readonly removal: Set<Resolve>
}

/**
 * Who waits for the end of a run (`exit`: `next-exit`, `not-running`), for that or a start that fails (`attempt`), or for the
 * removal of a container. A client that has asked for the next exit hears nothing of a failed start, as with dockerd: it has the
 * start's own answer.
 */
export class Waiters {
  readonly #byContainer = new Map<string, Waiting>()
  /** Why the end of a run is not in the database yet. */
  readonly #unrecorded = new Map<string, Error>()

  /** Registers at once; `signal` takes the registration back (the promise then stays pending). */
  add(containerId: string, what: keyof Waiting, signal: AbortSignal): Promise<WaitResult> {
    const { promise, resolve } = Promise.withResolvers<WaitResult>()
    const waiting = this.#byContainer.get(containerId) ?? {
      exit: new Set(),
      attempt: new Set(),
      removal: new Set(),
    }
    this.#byContainer.set(containerId, waiting)
    waiting[what].add(resolve)
    signal.addEventListener('abort', () => waiting[what].delete(resolve), { once: true })
    return promise
  }

  exited(containerId: string, result: WaitResult): void {
    this.#unrecorded.delete(containerId)
    this.#resolve(containerId, 'exit', result)
    this.#resolve(containerId, 'attempt', result)
  }

  /** The run has ended, but the database does not take it (a disk that is read-only). Who waits for the end waits no longer. */
  endedUnrecorded(containerId: string, result: WaitResult, cause: Error): void {
    this.exited(containerId, result)
    this.#unrecorded.set(containerId, cause)
  }

  /** INTERNAL while the container counts as running, but has ended: what needs a container that is known to be stopped. */
  assertRecorded(containerId: string): void {
    const cause = this.#unrecorded.get(containerId)
    if (cause === undefined) return
    throw new EngineError(
      'INTERNAL',
      `container ${containerId} has ended, but the database does not take it: ${cause.message}`,
      { cause },
    )
  }

  /** The container counts as running, but has ended. */
  isEndUnrecorded(containerId: string): boolean {
    return this.#unrecorded.has(containerId)
  }

  startFailed(containerId: string, result: WaitResult): void {
    this.#resolve(containerId, 'attempt', result)
  }

  /** Nothing can exit any more: all kinds are answered. */
  removed(containerId: string, result: WaitResult): void {
    this.exited(containerId, result)
    this.#resolve(containerId, 'removal', result)
    this.#byContainer.delete(containerId)
  }

  /** The removal failed; who waits for it is told, who waits for an exit goes on waiting. */
  removalFailed(containerId: string, result: WaitResult): void {
    this.#resolve(containerId, 'removal', result)
  }

  #resolve(containerId: string, what: keyof Waiting, result: WaitResult): void {
    const waiting = this.#byContainer.get(containerId)
    if (waiting === undefined) return
    const resolvers = [...waiting[what]]
    waiting[what].clear()
    for (const resolve of resolvers) resolve(result)
  }
}
