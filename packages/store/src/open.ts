import { chmodSync, closeSync, fdatasync, openSync } from 'node:fs'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { HELD_SCHEMA } from './held-schema.ts'
import { isEmpty, migrate } from './migrate.ts'

/**
 * The one database of an engine: what exists and what happened. WAL, so that readers never wait for a writer.
 * Only this package imports better-sqlite3; tables are used through one file each (`containers.ts`, `images.ts`, …).
 */
export interface Store {
  readonly db: Database.Database
  /** Runs `body` as one immediate transaction; for `transaction` and `volatileTransaction`. */
  readonly run: <T>(body: () => T) => T
  /** As `run`, of what changes tables in memory only: whoever has locked the file keeps nobody from it. */
  readonly runInMemory: <T>(body: () => T) => T
  /** `listener` is called after a transaction of `run`, or a part of one, has been rolled back: for who keeps answers. */
  readonly onRollback: (listener: () => void) => void
  /**
   * Resolves when everything committed so far survives a power cut. Off the main thread, and one fdatasync of the WAL for
   * all who ask while another is under way: what `synchronous=FULL` does within each commit.
   */
  flush(): Promise<void>
  close(): void
}

/**
 * Opens (and migrates) `path`; `:memory:` for tests. Throws when a newer engine has written the file. `onEmpty` is called
 * before anything is written into a database that has no tables yet, and may throw.
 */
export function openStore(path: string, onEmpty: () => void = () => undefined): Store {
  if (path !== ':memory:') closeToOthers(path)
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('foreign_keys = ON')
  db.pragma(`busy_timeout = ${LOCK_MS}`)
  try {
    if (isEmpty(db)) onEmpty()
    migrate(db)
    db.exec(HELD_SCHEMA)
  } catch (error) {
    db.close()
    throw error
  }
  // `transaction` raises it to FULL. sqlite.org/pragma.html#pragma_synchronous
  db.pragma('synchronous = NORMAL')
  const locked = db.transaction((body: () => unknown) => body())
  const log = path === ':memory:' ? undefined : new WriteAheadLog(`${path}-wal`)
  const rollbackListeners: (() => void)[] = []
  const withListeners = <T>(transact: () => unknown): T => {
    try {
      return transact() as T
    } catch (error) {
      for (const listener of rollbackListeners) listener()
      throw error
    }
  }
  let isLocked = false
  const noteLock = (now: boolean): void => {
    if (now === isLocked) return
    isLocked = now
    db.pragma(`busy_timeout = ${now ? STILL_LOCKED_MS : LOCK_MS}`)
  }
  const inFile = (body: () => unknown): unknown => {
    try {
      const result = locked.immediate(body)
      noteLock(false)
      return result
    } catch (error) {
      if (error instanceof Database.SqliteError && error.code === 'SQLITE_BUSY') noteLock(true)
      throw error
    }
  }
  return {
    db,
    run: (body) => withListeners(() => inFile(body)),
    runInMemory: (body) => withListeners(() => locked.deferred(body)),
    onRollback: (listener) => void rollbackListeners.push(listener),
    flush: async () => log?.flush(),
    close: () => {
      log?.close()
      db.close()
    },
  }
}

/** Nobody else writes it, as a rule. Who waits is the whole daemon. */
const LOCK_MS = 1000
/** Who has had it for so long has it longer: what is to be written then is tried again, or refused. */
const STILL_LOCKED_MS = 20

/** Environments of containers are in it. SQLite gives the files beside it the same mode. sqlite.org/wal.html */
function closeToOthers(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/** The database could not do what it was asked for: the disk is full or broken. */
export function isStorageError(error: unknown): boolean {
  return error instanceof Database.SqliteError
}

/**
 * Runs `body` as one immediate transaction, which survives a power cut when this returns. `body` must not await:
 * better-sqlite3 refuses a promise. Within another transaction it is part of that one, and as durable.
 */
export function transaction<T>(store: Store, body: () => T): T {
  if (store.db.inTransaction) return store.run(body)
  // exec, which keeps nothing: `pragma` makes a statement and a row of it, which takes ten times as long.
  store.db.exec('PRAGMA synchronous = FULL')
  try {
    return store.run(body)
  } finally {
    store.db.exec('PRAGMA synchronous = NORMAL')
  }
}

/**
 * A transaction that survives a kill of the engine but, before the next `flush` or durable transaction, not a power cut: for
 * what a reboot voids anyway (a container runs, an exec has ended), and for what is flushed before it is acknowledged.
 * See docs/decisions/0009-durability-of-transitions.md.
 */
export function volatileTransaction<T>(store: Store, body: () => T): T {
  return store.run(body)
}

/** SQLite keeps one and the same WAL file as long as the database is open. sqlite.org/wal.html */
class WriteAheadLog {
  readonly #fd: number
  /** Under way, or the last one. */
  #sync: Promise<void> = Promise.resolve()
  /** Begins when `#sync` has ended: that may have begun before the caller's commit. */
  #next: Promise<void> | undefined
  #isClosed = false

  constructor(path: string) {
    this.#fd = openSync(path, 'r+')
  }

  flush(): Promise<void> {
    this.#next ??= settled(this.#sync).then(() => {
      this.#next = undefined
      this.#sync = this.#isClosed ? Promise.resolve() : sync(this.#fd)
      return this.#sync
    })
    return this.#next
  }

  /** What is not flushed by now need not be: closing the database writes everything back. */
  close(): void {
    this.#isClosed = true
    void settled(this.#sync).then(() => closeSync(this.#fd))
  }
}

const sync = promisify(fdatasync)

/** A failure is its own callers'. */
function settled(promise: Promise<void>): Promise<void> {
  return promise.catch(() => undefined)
}
