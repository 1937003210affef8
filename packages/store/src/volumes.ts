import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface VolumeRow {
  readonly name: string
  readonly driver: string
  /** JSON. */
  readonly labels: string
  /** JSON. */
  readonly options: string
  readonly isAnonymous: boolean
  readonly createdAtNs: bigint
}

/** Table `volumes`. A volume that a container mounts cannot be deleted (foreign key of `mounts`). */
export class VolumeTable {
  readonly #insert: Statement
  readonly #delete: Statement
  readonly #all: Statement

  constructor(store: Store) {
    const { db } = store
    this.#insert = db.prepare(
      'INSERT INTO volumes (name, driver, labels, options, is_anonymous, created_at_ns) VALUES (@name, @driver, @labels, @options, @isAnonymous, @createdAtNs)',
    )
    this.#delete = db.prepare('DELETE FROM volumes WHERE name = ?')
    this.#all = db
      .prepare(
        'SELECT name, driver, labels, options, is_anonymous AS isAnonymous, created_at_ns AS createdAtNs FROM volumes ORDER BY name',
      )
      .safeIntegers(true)
  }

  insert(row: VolumeRow): void {
    this.#insert.run({ ...row, isAnonymous: Number(row.isAnonymous) })
  }

  delete(name: string): void {
    this.#delete.run(name)
  }

  all(): VolumeRow[] {
    const rows = this.#all.all() as (Omit<VolumeRow, 'isAnonymous'> & { isAnonymous: bigint })[]
    return rows.map((row) => ({ ...row, isAnonymous: row.isAnonymous !== 0n }))
  }
}
