import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface UserNamespaceRow {
  readonly containerId: string
  /** JSON. */
  readonly uidMap: string
  readonly gidMap: string
  /** The container's own range of the host's ids; null: it is not its own. */
  readonly firstId: number | null
  readonly idCount: number | null
}

/** Table `user_namespaces`; rows go with their container (ON DELETE CASCADE). */
export class UserNamespaceTable {
  readonly #insert: Statement
  readonly #all: Statement

  constructor(store: Store) {
    this.#insert = store.db.prepare(
      'INSERT INTO user_namespaces (container_id, uid_map, gid_map, first_id, id_count) VALUES (@containerId, @uidMap, @gidMap, @firstId, @idCount)',
    )
    this.#all = store.db.prepare(
      'SELECT container_id AS containerId, uid_map AS uidMap, gid_map AS gidMap, first_id AS firstId, id_count AS idCount FROM user_namespaces ORDER BY first_id',
    )
  }

  insert(row: UserNamespaceRow): void {
    this.#insert.run(row)
  }

  /** By `firstId`. */
  all(): UserNamespaceRow[] {
    return this.#all.all() as UserNamespaceRow[]
  }
}
