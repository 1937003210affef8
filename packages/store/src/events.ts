import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface EventRow {
  /** Grows with every event of this engine, across restarts. */
  readonly sequence: bigint
  readonly timeNs: bigint
  readonly type: string
  readonly action: string
  readonly actorId: string
  /** JSON. */
  readonly attributes: string
}

type Moment = Pick<EventRow, 'sequence' | 'timeNs'>

/** Table `events`: append-only but for `prune`. Times grow with the sequence. */
export class EventTable {
  readonly #insert: Statement
  readonly #between: Statement
  readonly #from: Statement
  readonly #prune: Statement
  readonly #bringForward: Statement
  readonly #last: Statement

  constructor(store: Store) {
    const { db } = store
    this.#insert = db
      .prepare(
        'INSERT INTO events (time_ns, type, action, actor_id, attributes) VALUES (?, ?, ?, ?, ?)',
      )
      .safeIntegers(true)
    this.#between = db
      .prepare(
        'SELECT sequence, time_ns AS timeNs, type, action, actor_id AS actorId, attributes FROM events WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?',
      )
      .safeIntegers(true)
    this.#from = db
      .prepare(
        'SELECT sequence, time_ns AS timeNs FROM events WHERE sequence >= ? ORDER BY sequence LIMIT 1',
      )
      .safeIntegers(true)
    this.#prune = db.prepare('DELETE FROM events WHERE sequence < ?')
    this.#bringForward = db.prepare(
      'UPDATE events SET time_ns = ? + sequence - ? WHERE sequence >= ?',
    )
    this.#last = db
      .prepare('SELECT sequence, time_ns AS timeNs FROM events ORDER BY sequence DESC LIMIT 1')
      .safeIntegers(true)
  }

  /** Gives the sequence number. */
  insert(row: Omit<EventRow, 'sequence'>): bigint {
    const { timeNs, type, action, actorId, attributes } = row
    return BigInt(this.#insert.run(timeNs, type, action, actorId, attributes).lastInsertRowid)
  }

  /** At most `limit` events of the time range (both ends included), after `sequence`, oldest first. */
  between(sinceNs: bigint, untilNs: bigint, sequence: bigint, limit: number): EventRow[] {
    const ends = this.#ends()
    if (ends === undefined || untilNs < ends.first.timeNs || sinceNs > ends.last.timeNs) return []
    const since = this.#firstAt(sinceNs, ends)
    const first = since > sequence ? since : sequence + 1n
    return this.#between.all(first, this.#firstAt(untilNs + 1n, ends), limit) as EventRow[]
  }

  #ends(): { readonly first: Moment; readonly last: Moment } | undefined {
    const first = this.#from.get(0n) as Moment | undefined
    const last = this.#last.get() as Moment | undefined
    return first && last && { first, last }
  }

  /** Sequence of the first event that is not older than `timeNs`; behind the last if there is none. From the beginning, or to now, mostly. */
  #firstAt(timeNs: bigint, ends = this.#ends()): bigint {
    if (ends === undefined) return 0n
    const { first, last } = ends
    if (first.timeNs >= timeNs) return first.sequence
    if (last.timeNs < timeNs) return last.sequence + 1n
    let low = first.sequence + 1n
    let high = last.sequence
    while (low < high) {
      const middle = (low + high) / 2n
      const event = this.#from.get(middle) as Moment
      if (event.timeNs >= timeNs) high = middle
      else low = event.sequence + 1n
    }
    return low
  }

  /** Keeps the newest `rows` that are not older than `olderThanNs`; the newest of all stays, so that no number comes twice. */
  prune(rows: number, olderThanNs: bigint): void {
    const last = this.#last.get() as Moment | undefined
    if (last === undefined) return
    const bySize = last.sequence - BigInt(rows) + 1n
    const byAge = this.#firstAt(olderThanNs)
    const first = bySize > byAge ? bySize : byAge
    this.#prune.run(first < last.sequence ? first : last.sequence)
  }

  /** The events that are younger than `nowNs` are of now, in their order. Gives the time of the newest. */
  bringForward(nowNs: bigint): bigint {
    const first = this.#firstAt(nowNs)
    this.#bringForward.run(nowNs, first, first)
    return this.lastTimeNs()
  }

  /** Time of the newest event; 0 without one. */
  lastTimeNs(): bigint {
    return (this.#last.get() as Moment | undefined)?.timeNs ?? 0n
  }
}
