import { processAgeMs } from '@ctr/linux'
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
    const { startedAtNs, startTime } = container.state
    const leftMs = seconds * 1000 - runningMs(engine, startedAtNs, startTime)
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

/** Between two readings of the clocks, and between the fork of a process and its execve. */
const CLOCKS_AGREE_MS = 2000

/** By the wall clock, unless somebody has set it meanwhile: then by when the process was forked. */
function runningMs(engine: Engine, startedAtNs: bigint, startTime: bigint): number {
  const wallMs = Number(engine.clock.nowNs() - startedAtNs) / 1e6
  // The shim could not read it.
  if (startTime === 0n) return wallMs
  const ageMs = processAgeMs(startTime)
  return Math.abs(wallMs - ageMs) < CLOCKS_AGREE_MS ? wallMs : ageMs
}
