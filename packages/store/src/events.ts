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

/** Table `events`: append-only but for `prune`. Times grow with the sequence. */
export class EventTable {
  readonly #insert: Statement
  readonly #between: Statement
  readonly #range: Statement
  readonly #from: Statement
  readonly #prune: Statement
  readonly #lastTime: Statement

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
    this.#range = db
      .prepare('SELECT min(sequence) AS first, max(sequence) AS last FROM events')
      .safeIntegers(true)
    this.#from = db
      .prepare(
        'SELECT sequence, time_ns AS timeNs FROM events WHERE sequence >= ? ORDER BY sequence LIMIT 1',
      )
      .safeIntegers(true)
    this.#prune = db.prepare(
      `DELETE FROM events WHERE sequence < (SELECT max(sequence) FROM events)
         AND (sequence <= (SELECT max(sequence) FROM events) - ? OR time_ns < ?)`,
    )
    this.#lastTime = db
      .prepare('SELECT time_ns FROM events ORDER BY sequence DESC LIMIT 1')
      .pluck()
      .safeIntegers(true)
  }

  /** Gives the sequence number. */
  insert(row: Omit<EventRow, 'sequence'>): bigint {
    const { timeNs, type, action, actorId, attributes } = row
    return BigInt(this.#insert.run(timeNs, type, action, actorId, attributes).lastInsertRowid)
  }

  /** At most `limit` events of the time range (both ends included), after `sequence`, oldest first. */
  between(sinceNs: bigint, untilNs: bigint, sequence: bigint, limit: number): EventRow[] {
    const since = this.#firstAt(sinceNs)
    const first = since > sequence ? since : sequence + 1n
    return this.#between.all(first, this.#firstAt(untilNs + 1n), limit) as EventRow[]
  }

  /** Sequence of the first event that is not older than `timeNs`; behind the last if there is none. */
  #firstAt(timeNs: bigint): bigint {
    const { first, last } = this.#range.get() as { first: bigint | null; last: bigint | null }
    let low = first ?? 0n
    let high = (last ?? -1n) + 1n
    while (low < high) {
      const middle = (low + high) / 2n
      const event = this.#from.get(middle) as Pick<EventRow, 'sequence' | 'timeNs'> | undefined
      if (event === undefined || event.timeNs >= timeNs) high = middle
      else low = event.sequence + 1n
    }
    return low
  }

  /** Keeps the newest `rows` that are not older than `olderThanNs`; the newest of all stays, so that no number comes twice. */
  prune(rows: number, olderThanNs: bigint): void {
    this.#prune.run(rows, olderThanNs)
  }

  /** Time of the newest event; 0 without one. */
  lastTimeNs(): bigint {
    return (this.#lastTime.get() as bigint | undefined) ?? 0n
  }
}
