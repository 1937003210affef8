import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface ExecRow {
  readonly id: string
  readonly containerId: string
  readonly createdAtNs: bigint
  /** JSON. */
  readonly config: string
  readonly status: string
  readonly pid: number
  readonly startTime: bigint
  /** null until it has ended. */
  readonly exitCode: number | null
}

/** Table `execs`; rows go with their container (ON DELETE CASCADE). */
export class ExecTable {
  readonly #insert: Statement
  readonly #update: Statement
  readonly #delete: Statement
  readonly #all: Statement

  constructor(store: Store) {
    const { db } = store
    this.#insert = db.prepare(
      'INSERT INTO execs (id, container_id, created_at_ns, config, status, pid, start_time, exit_code) VALUES (@id, @containerId, @createdAtNs, @config, @status, @pid, @startTime, @exitCode)',
    )
    this.#update = db.prepare(
      'UPDATE execs SET status = @status, pid = @pid, start_time = @startTime, exit_code = @exitCode WHERE id = @id',
    )
    this.#delete = db.prepare('DELETE FROM execs WHERE id = ?')
    this.#all = db
      .prepare(
        'SELECT id, container_id AS containerId, created_at_ns AS createdAtNs, config, status, pid, start_time AS startTime, exit_code AS exitCode FROM execs ORDER BY created_at_ns',
      )
      .safeIntegers(true)
  }

  insert(row: ExecRow): void {
    this.#insert.run(row)
  }

  update(row: ExecRow): void {
    this.#update.run(row)
  }

  delete(id: string): void {
    this.#delete.run(id)
  }

  all(): ExecRow[] {
    const rows = this.#all.all() as (Omit<ExecRow, 'pid' | 'exitCode'> & {
      pid: bigint
      exitCode: bigint | null
    })[]
    return rows.map((row) => ({
      ...row,
      pid: Number(row.pid),
      exitCode: row.exitCode === null ? null : Number(row.exitCode),
    }))
  }
}
