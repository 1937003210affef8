/** What `wait` answers. */
export interface WaitResult {
  readonly exitCode: number
  /** Why the container could not be removed or started. */
  readonly error?: string
}

type Resolve = (result: WaitResult) => void

interface Waiting {
  readonly exit: Set<Resolve>
  readonly removal: Set<Resolve>
}

/** Who waits for the end of a run (`next-exit`, `not-running`) or for the removal of a container. */
export class Waiters {
  readonly #byContainer = new Map<string, Waiting>()

  /** Registers at once; `signal` takes the registration back (the promise then stays pending). */
  add(containerId: string, what: 'exit' | 'removal', signal: AbortSignal): Promise<WaitResult> {
    const { promise, resolve } = Promise.withResolvers<WaitResult>()
    const waiting = this.#byContainer.get(containerId) ?? { exit: new Set(), removal: new Set() }
    this.#byContainer.set(containerId, waiting)
    waiting[what].add(resolve)
    signal.addEventListener('abort', () => waiting[what].delete(resolve), { once: true })
    return promise
  }

  exited(containerId: string, result: WaitResult): void {
    this.#resolve(containerId, 'exit', result)
  }

  /** Nothing can exit any more: both kinds are answered. */
  removed(containerId: string, result: WaitResult): void {
    this.#resolve(containerId, 'exit', result)
    this.#resolve(containerId, 'removal', result)
    this.#byContainer.delete(containerId)
  }

  /** The removal failed; who waits for it is told, who waits for an exit goes on waiting. */
  removalFailed(containerId: string, result: WaitResult): void {
    this.#resolve(containerId, 'removal', result)
  }

  #resolve(containerId: string, what: 'exit' | 'removal', result: WaitResult): void {
    const waiting = this.#byContainer.get(containerId)
    if (waiting === undefined) return
    const resolvers = [...waiting[what]]
    waiting[what].clear()
    for (const resolve of resolvers) resolve(result)
  }
}
