/**
 * One serial queue per key (a container's or an exec's id). Every change of a container runs in its queue, from the
 * check of its status to the commit of the new one: Node has no data races, but it interleaves at each `await`. Reads
 * do not queue. Nothing that may take long (waiting for an exit, a grace period) runs inside.
 */
export class SerialQueues {
  /** Last job of each key that has jobs. */
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Runs `job` after all earlier jobs of `key`; its failure is the caller's and does not stop the queue. */
  run<T>(key: string, job: () => Promise<T> | T): Promise<T> {
    const previous = this.#tails.get(key) ?? Promise.resolve()
    const result = previous.then(job, job)
    const tail = result.catch(() => undefined) // the caller holds `result` and sees the error
    this.#tails.set(key, tail)
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
    return result
  }

  /** Resolves when no job of any key is left. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values())
  }
}
