import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { SecretRow, SecretTable } from '@ctr/store'
import { SecretCipher } from './cipher.ts'

/** Without its data, which leaves the registry only for a container. */
export interface Secret {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Counts the changes, from 1 on. */
  readonly version: number
  readonly createdAtNs: bigint
  readonly updatedAtNs: bigint
}

/** All secrets: in memory without their data, in SQLite with it. Changes belong inside `engine.events.commit`. */
export class SecretRegistry {
  readonly #table: SecretTable
  readonly #cipher: SecretCipher
  readonly #onRollback: (undo: () => void) => void
  #rows: readonly SecretRow[]

  constructor(table: SecretTable, dataRoot: string, onRollback: (undo: () => void) => void) {
    this.#table = table
    this.#cipher = new SecretCipher(join(dataRoot, 'secrets.key'))
    this.#onRollback = onRollback
    this.#rows = table.all()
  }

  /** In order of creation. */
  all(): Secret[] {
    return this.#rows.map(toSecret)
  }

  /** By id, name, or unique id prefix. NOT_FOUND, INVALID_ARGUMENT (ambiguous). */
  get(reference: string): Secret {
    return toSecret(this.#row(reference))
  }

  find(reference: string): Secret | undefined {
    const row = this.#find(reference)
    return row === undefined ? undefined : toSecret(row)
  }

  dataOf(reference: string): Buffer {
    const { id, data } = this.#row(reference)
    return this.#cipher.decrypt(id, data)
  }

  insert(secret: Secret, data: Buffer): void {
    const row = {
      ...secret,
      labels: JSON.stringify(secret.labels),
      data: this.#cipher.encrypt(secret.id, data),
    }
    this.#table.insert(row)
    this.#replace([...this.#rows, row])
  }

  changeLabels(id: string, labels: Secret['labels'], updatedAtNs: bigint): void {
    const change = { id, labels: JSON.stringify(labels), updatedAtNs }
    this.#table.updateLabels(change)
    this.#replace(
      this.#rows.map((row) =>
        row.id === id ? { ...row, ...change, version: row.version + 1 } : row,
      ),
    )
  }

  delete(id: string): void {
    this.#table.delete(id)
    this.#replace(this.#rows.filter((row) => row.id !== id))
  }

  #replace(rows: readonly SecretRow[]): void {
    const before = this.#rows
    this.#rows = rows
    this.#onRollback(() => {
      this.#rows = before
    })
  }

  #row(reference: string): SecretRow {
    const row = this.#find(reference)
    if (row === undefined) throw new EngineError('NOT_FOUND', `secret ${reference} not found`)
    return row
  }

  #find(reference: string): SecretRow | undefined {
    const exact = this.#rows.find(({ id, name }) => id === reference || name === reference)
    if (exact !== undefined || !/^[0-9a-z]{1,25}$/.test(reference)) return exact
    const found = this.#rows.filter(({ id }) => id.startsWith(reference))
    if (found.length > 1) {
      throw new EngineError('INVALID_ARGUMENT', `secret ${reference} is ambiguous`)
    }
    return found[0]
  }
}

function toSecret(row: SecretRow): Secret {
  const { id, name, version, createdAtNs, updatedAtNs } = row
  const labels = JSON.parse(row.labels) as Record<string, string>
  return { id, name, labels, version, createdAtNs, updatedAtNs }
}
