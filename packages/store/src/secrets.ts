import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface SecretRow {
  readonly id: string
  readonly name: string
  /** JSON. */
  readonly labels: string
  /** Encrypted. */
  readonly data: Buffer
  /** Counts the changes. */
  readonly version: number
  readonly createdAtNs: bigint
  readonly updatedAtNs: bigint
}

/** Table `secrets`. */
export class SecretTable {
  readonly #insert: Statement
  readonly #updateLabels: Statement
  readonly #delete: Statement
  readonly #all: Statement

  constructor(store: Store) {
    const { db } = store
    this.#insert = db.prepare(
      'INSERT INTO secrets (id, name, labels, data, version, created_at_ns, updated_at_ns) VALUES (@id, @name, @labels, @data, @version, @createdAtNs, @updatedAtNs)',
    )
    this.#updateLabels = db.prepare(
      'UPDATE secrets SET labels = @labels, version = version + 1, updated_at_ns = @updatedAtNs WHERE id = @id',
    )
    this.#delete = db.prepare('DELETE FROM secrets WHERE id = ?')
    this.#all = db
      .prepare(
        'SELECT id, name, labels, data, version, created_at_ns AS createdAtNs, updated_at_ns AS updatedAtNs FROM secrets ORDER BY created_at_ns',
      )
      .safeIntegers(true)
  }

  insert(row: SecretRow): void {
    this.#insert.run(row)
  }

  updateLabels(row: Pick<SecretRow, 'id' | 'labels' | 'updatedAtNs'>): void {
    this.#updateLabels.run(row)
  }

  delete(id: string): void {
    this.#delete.run(id)
  }

  all(): SecretRow[] {
    const rows = this.#all.all() as (Omit<SecretRow, 'version'> & { version: bigint })[]
    return rows.map((row) => ({ ...row, version: Number(row.version) }))
  }
}
