import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface HealthRow {
  readonly containerId: string
  readonly status: string
  readonly failingStreak: number
  /** JSON. */
  readonly log: string
  /** 0n: no probe is due. */
  readonly nextAtNs: bigint
  /** Of the probe under way; empty without one. */
  readonly execId: string
}

/** Table `health`; rows go with their container (ON DELETE CASCADE). */
export class HealthTable {
  readonly #put: Statement
  readonly #all: Statement

  constructor(store: Store) {
    this.#put = store.db.prepare(
      'INSERT INTO health (container_id, status, failing_streak, log, next_at_ns, exec_id) VALUES (@containerId, @status, @failingStreak, @log, @nextAtNs, @execId) ON CONFLICT (container_id) DO UPDATE SET status = excluded.status, failing_streak = excluded.failing_streak, log = excluded.log, next_at_ns = excluded.next_at_ns, exec_id = excluded.exec_id',
    )
    this.#all = store.db
      .prepare(
        'SELECT container_id AS containerId, status, failing_streak AS failingStreak, log, next_at_ns AS nextAtNs, exec_id AS execId FROM health',
      )
      .safeIntegers(true)
  }

  put(row: HealthRow): void {
    this.#put.run(row)
  }

  all(): HealthRow[] {
    const rows = this.#all.all() as (Omit<HealthRow, 'failingStreak'> & { failingStreak: bigint })[]
    return rows.map((row) => ({ ...row, failingStreak: Number(row.failingStreak) }))
  }
}
