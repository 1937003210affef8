import type { Engine } from '../engine.ts'
import { killRun } from './kill-run.ts'
import { isAlive } from './state.ts'

/** Kills containers that run for longer than they may (`--timeout`). It learns of starts and ends from the events. */
export class RunTimeouts implements Disposable {
  readonly #timers = new Map<string, Disposable>()
  #engine: Engine | undefined
  #listening: Disposable | undefined

  begin(engine: Engine): void {
    this.#engine = engine
    this.#listening = engine.events.listen(({ type, action, actorId }) => {
      if (type !== 'container') return
      if (action === 'start') this.#watch(actorId)
      if (action === 'die' || action === 'destroy') this.#forget(actorId)
    })
  }

  /** After recovery: for runs that the former engine has started. */
  resume(): void {
    for (const { id } of this.#engine?.containers.all() ?? []) this.#watch(id)
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]()
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    this.#timers.clear()
  }

  #watch(id: string): void {
    const engine = this.#engine
    const container = engine?.containers.byId(id)
    const seconds = container?.hostConfig.RunTimeout ?? 0
    if (engine === undefined || container === undefined || seconds <= 0) return
    if (!isAlive(container.state)) return
    this.#forget(id)
    const { startedAtNs } = container.state
    const atNs = startedAtNs + BigInt(seconds) * 1_000_000_000n
    const leftMs = Number((atNs - engine.clock.nowNs()) / 1_000_000n)
    this.#timers.set(
      id,
      engine.clock.after(Math.max(0, leftMs), () => {
        this.#timers.delete(id)
        engine.background.run('end a run that took too long', id, async () => {
          const now = engine.containers.byId(id)
          if (now !== undefined && isAlive(now.state) && now.state.startedAtNs === startedAtNs) {
            await killRun(engine, now, 'timeout')
          }
        })
      }),
    )
  }

  #forget(id: string): void {
    this.#timers.get(id)?.[Symbol.dispose]()
    this.#timers.delete(id)
  }
}
