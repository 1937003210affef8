import type { EventRow, EventTable, Store } from '@ctr/store'
import { isStorageError, transaction, volatileTransaction } from '@ctr/store'
import type { Clock } from './clock.ts'

/** Something that happened. Rows of the database first, then published: history can be queried after a restart. */
export interface EngineEvent {
  readonly sequence: bigint
  readonly timeNs: bigint
  readonly type: EventType
  /** `create`, `exec_start: sh -c true`, … */
  readonly action: string
  readonly actorId: string
  readonly attributes: Readonly<Record<string, string>>
}

export type EventType = 'container' | 'image' | 'volume' | 'network' | 'daemon' | 'secret'

export type NewEvent = Pick<EngineEvent, 'type' | 'action' | 'actorId' | 'attributes'>

/** After everything that is in the history. */
const UNRECORDED = 2n ** 63n - 1n

/** A clock that is corrected by less is waited for: the times go on from the last one. */
const CLOCK_STEP_NS = 60_000_000_000n

/** Some 2 ms of the main thread each time. */
const PRUNE_EVERY = 1000

export interface EventLimits {
  readonly rows: number
  readonly days: number
}

type Listener = (event: EngineEvent) => void

/** Writes events within the transaction of the change that they report, and publishes them after the commit. */
export class EventLog {
  readonly #table: EventTable
  readonly #store: Store
  readonly #clock: Clock
  readonly #listeners = new Set<Listener>()
  /** Written in the open transaction, not yet published. */
  #pending: EngineEvent[] = []
  /** Takes back, in reverse, what the open transaction has changed in memory. */
  #undo: (() => void)[] = []
  #lastTimeNs: bigint
  #limits: EventLimits | undefined
  /** Since the last time that the history was cut. */
  #added = 0

  constructor(store: Store, table: EventTable, clock: Clock) {
    this.#store = store
    this.#table = table
    this.#clock = clock
    this.#lastTimeNs = table.lastTimeNs()
  }

  /** Only inside `commit`. */
  add(event: NewEvent): void {
    // Strictly increasing: clients that resume with `since` neither miss nor repeat an event.
    const now = this.#clock.nowNs()
    if (this.#lastTimeNs - now > CLOCK_STEP_NS) this.#followClock(now)
    const timeNs = now > this.#lastTimeNs ? now : this.#lastTimeNs + 1n
    const sequence = this.#table.insert({
      timeNs,
      type: event.type,
      action: event.action,
      actorId: event.actorId,
      attributes: JSON.stringify(event.attributes),
    })
    this.#lastTimeNs = timeNs
    this.#pending.push({ ...event, sequence, timeNs })
    this.#added += 1
  }

  /** Somebody has set the clock back: without this nobody who asks for the last minutes would find anything for as long. */
  #followClock(nowNs: bigint): void {
    const before = this.#lastTimeNs
    this.onRollback(() => {
      this.#lastTimeNs = before
    })
    this.#lastTimeNs = this.#table.bringForward(nowNs)
  }

  /** One transaction: the change and its events. `volatile` changes are void after a reboot and skip the fsync. */
  commit<T>(durability: 'durable' | 'volatile', body: () => T): T {
    const run = durability === 'durable' ? transaction : volatileTransaction
    this.#undo = []
    try {
      return run(this.#store, body)
    } catch (error) {
      this.#pending = []
      for (const undo of this.#undo.reverse()) undo()
      throw error
    } finally {
      this.#undo = []
      this.#publish()
    }
  }

  /** For the registries: `undo` runs if the open transaction fails. */
  onRollback(undo: () => void): void {
    this.#undo.push(undo)
  }

  /**
   * An event without a change of state, e.g. `attach`. If the database does not take it (a full disk), those who listen hear it
   * all the same, and history does not: what it tells of is done, and `cp` out of a full disk is wanted more than its event.
   */
  emit(event: NewEvent): void {
    try {
      this.commit('volatile', () => this.add(event))
    } catch (error) {
      if (!isStorageError(error)) throw error
      this.#pending.push({ ...event, sequence: UNRECORDED, timeNs: this.#clock.nowNs() })
      this.#publish()
    }
  }

  listen(listener: Listener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  /** The rows of a time range after `sequence`, oldest first. */
  history(sinceNs: bigint, untilNs: bigint, sequence: bigint, limit: number): EngineEvent[] {
    return this.#table.between(sinceNs, untilNs, sequence, limit).map(decode)
  }

  /** From now on: history is cut at once, and again and again as it grows. */
  keep(limits: EventLimits): void {
    this.#limits = limits
    this.#prune(limits)
  }

  #prune({ rows, days }: EventLimits): void {
    const dayNs = 86_400_000_000_000n
    this.#added = 0
    this.#table.prune(rows, this.#clock.nowNs() - BigInt(days) * dayNs)
  }

  /** On its own, after what was to be done: nobody waits for it. */
  #pruneSoon(limits: EventLimits): void {
    this.#added = 0
    setImmediate(() => {
      try {
        this.#prune(limits)
      } catch (error) {
        // A full disk, or closed meanwhile; the next time does the work of both.
        if (!isStorageError(error) && this.#store.db.open) throw error
      }
    })
  }

  #publish(): void {
    if (this.#limits !== undefined && this.#added >= PRUNE_EVERY) this.#pruneSoon(this.#limits)
    const published = this.#pending
    this.#pending = []
    for (const event of published) for (const listener of this.#listeners) listener(event)
  }
}

function decode(row: EventRow): EngineEvent {
  return {
    sequence: row.sequence,
    timeNs: row.timeNs,
    type: row.type as EventType,
    action: row.action,
    actorId: row.actorId,
    attributes: JSON.parse(row.attributes) as Record<string, string>,
  }
}
