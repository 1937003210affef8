import type { HealthRow, HealthTable } from '@ctr/store'
import { containerEvent } from '../container/container-event.ts'
import type { Engine } from '../engine.ts'
import type { EngineEvent } from '../events.ts'
import { type HealthCheck, healthCheckOf } from './check.ts'
import {
  type Health,
  type HealthStatus,
  judge,
  nextIntervalNs,
  type ProbeResult,
  started,
  unwatched,
} from './health.ts'
import { actOnUnhealthy } from './on-failure.ts'
import { killExec, runProbe } from './probe.ts'

/**
 * Probes the containers that have a health check, from their start to their end, paused ones not. It learns what
 * happens to them from the events. Each result is a row: the next engine goes on where this one ended, with the same
 * status and streak, and probes when the next probe was due.
 */
export class HealthMonitor implements Disposable {
  readonly #table: HealthTable
  readonly #health = new Map<string, Health>()
  /** What the former engine has left: when the next probe is due, and the one that was under way. */
  readonly #inherited = new Map<string, Pick<HealthRow, 'nextAtNs' | 'execId'>>()
  readonly #watches = new Map<string, AbortController>()
  readonly #waiting = new Map<string, Set<(health: Health) => void>>()
  #engine: Engine | undefined
  #listening: Disposable | undefined

  constructor(table: HealthTable) {
    this.#table = table
    for (const row of table.all()) {
      this.#health.set(row.containerId, fromRow(row))
      this.#inherited.set(row.containerId, row)
    }
  }

  /** Undefined: it has no check, or was never started. */
  of(containerId: string): Health | undefined {
    return this.#health.get(containerId)
  }

  /** Before recovery: starts and exits that it finds count, too. */
  begin(engine: Engine): void {
    this.#engine = engine
    this.#listening = engine.events.listen((event) => this.#handle(event))
  }

  /** After recovery: what runs is probed on. */
  resume(): void {
    const engine = this.#engine
    for (const { id, state } of engine?.containers.all() ?? []) {
      if (state.status !== 'running' || this.#watches.has(id)) continue
      const inherited = this.#inherited.get(id)
      if (inherited !== undefined && engine !== undefined) killExec(engine, inherited.execId)
      this.#watch(id, inherited?.nextAtNs)
    }
    this.#inherited.clear()
  }

  /** Calls `listener` at each change of status until disposed. */
  listen(containerId: string, listener: (health: Health) => void): Disposable {
    const listeners = this.#waiting.get(containerId) ?? new Set()
    this.#waiting.set(containerId, listeners)
    listeners.add(listener)
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#waiting.delete(containerId)
      },
    }
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]()
    for (const watch of this.#watches.values()) watch.abort()
    this.#watches.clear()
  }

  /** Events come in the middle of others' work: nothing may be thrown at it. */
  #handle({ type, action, actorId }: EngineEvent): void {
    if (type !== 'container') return
    try {
      switch (action) {
        case 'start':
          this.#start(actorId)
          return
        case 'unpause':
          this.#watch(actorId)
          return
        case 'pause':
        case 'die':
          this.#stop(actorId)
          return
        case 'destroy':
          this.#stop(actorId)
          this.#health.delete(actorId)
          return
        default:
      }
    } catch (err) {
      this.#engine?.log.error({ containerId: actorId, action, err }, 'health check')
    }
  }

  #start(id: string): void {
    if (this.#checkOf(id) === undefined) return
    this.#put(id, started(this.#health.get(id)))
    this.#watch(id)
  }

  #stop(id: string): void {
    this.#watches.get(id)?.abort()
    this.#watches.delete(id)
    const health = this.#health.get(id)
    if (health === undefined || this.#engine?.containers.byId(id) === undefined) return
    this.#put(id, unwatched(health))
  }

  #watch(id: string, firstAtNs?: bigint): void {
    const engine = this.#engine
    const check = this.#checkOf(id)
    if (engine === undefined || check === undefined) return
    this.#watches.get(id)?.abort()
    const watch = new AbortController()
    this.#watches.set(id, watch)
    if (!this.#health.has(id)) this.#put(id, started(undefined))
    engine.supervision.run('health check', id, () =>
      this.#probeUntil(engine, id, check, watch.signal, firstAtNs ?? 0n),
    )
  }

  #checkOf(id: string): HealthCheck | undefined {
    const container = this.#engine?.containers.byId(id)
    return container === undefined ? undefined : healthCheckOf(container.config)
  }

  async #probeUntil(
    engine: Engine,
    id: string,
    check: HealthCheck,
    signal: AbortSignal,
    firstAtNs: bigint,
  ): Promise<void> {
    for (let atNs = firstAtNs; !signal.aborted; atNs = 0n) {
      const container = engine.containers.byId(id)
      const health = this.#health.get(id)
      if (container === undefined || health === undefined) return
      const nowNs = engine.clock.nowNs()
      const intervalNs = nextIntervalNs(health, check, nowNs - container.state.startedAtNs)
      const nextAtNs = atNs === 0n ? nowNs + intervalNs : atNs
      this.#put(id, health, { nextAtNs, execId: '' })
      // A clock that was set must not keep a probe back for longer than its interval.
      const waitNs = nextAtNs - nowNs > intervalNs ? intervalNs : nextAtNs - nowNs
      await pause(engine, waitNs, signal)
      if (signal.aborted) return
      const result = await runProbe(engine, id, check, signal, (execId) =>
        this.#put(id, this.#health.get(id) ?? health, { nextAtNs, execId }),
      )
      if (result !== undefined) this.#record(engine, id, check, result)
    }
  }

  #record(engine: Engine, id: string, check: HealthCheck, result: ProbeResult): void {
    const container = engine.containers.byId(id)
    const before = this.#health.get(id)
    if (container === undefined || before === undefined) return
    const after = judge(before, result, check, container.state.startedAtNs)
    const hasChanged = after.status !== before.status
    engine.events.commit('volatile', () => {
      this.#put(id, after)
      if (hasChanged) engine.events.add(containerEvent(container, `health_status: ${after.status}`))
    })
    if (!hasChanged) return
    engine.log.info({ containerId: id, status: after.status }, 'health')
    if (after.status === 'unhealthy') actOnUnhealthy(engine, container)
  }

  #put(
    id: string,
    health: Health,
    next: Pick<HealthRow, 'nextAtNs' | 'execId'> = { nextAtNs: 0n, execId: '' },
  ): void {
    const before = this.#health.get(id)
    this.#table.put(toRow(id, health, next))
    this.#health.set(id, health)
    if (before?.status === health.status) return
    for (const listener of this.#waiting.get(id) ?? []) listener(health)
  }
}

async function pause(engine: Engine, delayNs: bigint, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => resolve()
  using _timer = engine.clock.after(Number(delayNs) / 1e6, done)
  signal.addEventListener('abort', done, { once: true })
  await promise
  signal.removeEventListener('abort', done)
}

interface LogEntry {
  readonly start: string
  readonly end: string
  readonly exitCode: number
  readonly output: string
}

function toRow(
  containerId: string,
  { status, failingStreak, log }: Health,
  next: Pick<HealthRow, 'nextAtNs' | 'execId'>,
): HealthRow {
  const entries = log.map(
    ({ startNs, endNs, exitCode, output }): LogEntry => ({
      start: String(startNs),
      end: String(endNs),
      exitCode,
      output,
    }),
  )
  return { containerId, status, failingStreak, log: JSON.stringify(entries), ...next }
}

function fromRow(row: HealthRow): Health {
  return {
    status: row.status as HealthStatus,
    failingStreak: row.failingStreak,
    log: (JSON.parse(row.log) as LogEntry[]).map(({ start, end, exitCode, output }) => ({
      startNs: BigInt(start),
      endNs: BigInt(end),
      exitCode,
      output,
    })),
  }
}
