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
  /** True until the first container has been started with it: image content may have to be copied into it. */
  readonly needsCopyUp: boolean
  readonly createdAtNs: bigint
}

/** Table `volumes`. A volume that a container mounts cannot be deleted (foreign key of `mounts`). */
export class VolumeTable {
  readonly #insert: Statement
  readonly #setCopiedUp: Statement
  readonly #delete: Statement
  readonly #all: Statement

  constructor(store: Store) {
    const { db } = store
    this.#insert = db.prepare(
      'INSERT INTO volumes (name, driver, labels, options, is_anonymous, needs_copy_up, created_at_ns) VALUES (@name, @driver, @labels, @options, @isAnonymous, @needsCopyUp, @createdAtNs)',
    )
    this.#setCopiedUp = db.prepare('UPDATE volumes SET needs_copy_up = 0 WHERE name = ?')
    this.#delete = db.prepare('DELETE FROM volumes WHERE name = ?')
    this.#all = db
      .prepare(
        'SELECT name, driver, labels, options, is_anonymous AS isAnonymous, needs_copy_up AS needsCopyUp, created_at_ns AS createdAtNs FROM volumes ORDER BY name',
      )
      .safeIntegers(true)
  }

  insert(row: VolumeRow): void {
    this.#insert.run({
      ...row,
      isAnonymous: Number(row.isAnonymous),
      needsCopyUp: Number(row.needsCopyUp),
    })
  }

  setCopiedUp(name: string): void {
    this.#setCopiedUp.run(name)
  }

  delete(name: string): void {
    this.#delete.run(name)
  }

  all(): VolumeRow[] {
    const rows = this.#all.all() as (Omit<VolumeRow, 'isAnonymous' | 'needsCopyUp'> & {
      isAnonymous: bigint
      needsCopyUp: bigint
    })[]
    return rows.map((row) => ({
      ...row,
      isAnonymous: row.isAnonymous !== 0n,
      needsCopyUp: row.needsCopyUp !== 0n,
    }))
  }
}
