import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface ExecRow {
  /** Of the row. */
  readonly number: number
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

/** Table `execs`. Rows are changed by their numbers; who deletes a container deletes those of its execs. */
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
      'UPDATE execs SET status = @status, pid = @pid, start_time = @startTime, exit_code = @exitCode WHERE number = @number',
    )
    this.#delete = db.prepare('DELETE FROM execs WHERE number = ?')
    this.#all = db
      .prepare(
        'SELECT number, id, container_id AS containerId, created_at_ns AS createdAtNs, config, status, pid, start_time AS startTime, exit_code AS exitCode FROM execs ORDER BY number',
      )
      .safeIntegers(true)
  }

  /** Gives the number of the row. */
  insert(row: Omit<ExecRow, 'number'>): number {
    return Number(this.#insert.run(row).lastInsertRowid)
  }

  update(row: ExecRow): void {
    this.#update.run(row)
  }

  delete(number: number): void {
    this.#delete.run(number)
  }

  all(): ExecRow[] {
    const rows = this.#all.all() as (Omit<ExecRow, 'number' | 'pid' | 'exitCode'> & {
      number: bigint
      pid: bigint
      exitCode: bigint | null
    })[]
    return rows.map((row) => ({
      ...row,
      number: Number(row.number),
      pid: Number(row.pid),
      exitCode: row.exitCode === null ? null : Number(row.exitCode),
    }))
  }
}
