import { chmodSync, closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { migrate } from './migrate.ts'

/**
 * The one database of an engine: what exists and what happened. WAL, so that readers never wait for a writer.
 * Only this package imports better-sqlite3; tables are used through one file each (`containers.ts`, `images.ts`, …).
 */
export interface Store {
  readonly db: Database.Database
  close(): void
}

/** Opens (and migrates) `path`; `:memory:` for tests. Throws when a newer engine has written the file. */
export function openStore(path: string): Store {
  if (path !== ':memory:') closeToOthers(path)
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  // FULL: a container that was acknowledged to a client survives a power cut, not only a kill. sqlite.org/pragma.html#pragma_synchronous
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  db.pragma('busy_timeout = 5000')
  migrate(db)
  return { db, close: () => db.close() }
}

/** Environments of containers are in it. SQLite gives the files beside it the same mode. sqlite.org/wal.html */
function closeToOthers(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/** Runs `body` as one immediate transaction. `body` must not await: better-sqlite3 refuses a promise. */
export function transaction<T>(store: Store, body: () => T): T {
  return store.db.transaction(body).immediate()
}

/**
 * A transaction that survives a kill of the engine but, for the last moments, not a power cut: for what a reboot voids
 * anyway (a container runs, an exec has ended). It saves the fsync; see docs/decisions/0009-durability-of-transitions.md.
 */
export function volatileTransaction<T>(store: Store, body: () => T): T {
  store.db.pragma('synchronous = NORMAL')
  try {
    return store.db.transaction(body).immediate()
  } finally {
    store.db.pragma('synchronous = FULL')
  }
}
