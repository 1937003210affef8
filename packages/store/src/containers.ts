import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

/** The columns that change while a container lives; written together, so that no state is half old. */
export interface ContainerStateRow {
  readonly status: string
  readonly pid: number
  readonly startTime: bigint
  readonly startedAtNs: bigint
  readonly finishedAtNs: bigint
  readonly exitCode: number
  readonly isOomKilled: boolean
  readonly error: string
  readonly restartCount: number
  readonly hasStartedBefore: boolean
  readonly isManuallyStopped: boolean
  readonly isRestartCancelled: boolean
  readonly isCheckpointed: boolean
  readonly isStartPending: boolean
  readonly isOfBuild: boolean
  readonly removal: string
  readonly killAtNs: bigint
  readonly restartAtNs: bigint
  readonly restartDelayMs: number
}

/** The columns that change by request only (rename, update). */
export interface ContainerDocumentsRow {
  readonly name: string
  readonly config: string
  readonly hostConfig: string
  readonly networking: string
}

export interface ContainerRow extends ContainerStateRow, ContainerDocumentsRow {
  readonly id: string
  readonly createdAtNs: bigint
  readonly imageId: string
  readonly imageReference: string
  readonly platform: string
  readonly path: string
  readonly args: string
  readonly layers: string
}

export interface MountRow {
  readonly containerId: string
  readonly destination: string
  readonly position: number
  /** Name of the volume, or null for binds and tmpfs. */
  readonly volume: string | null
  readonly document: string
}

const STATE_COLUMNS = {
  status: 'status',
  pid: 'pid',
  startTime: 'start_time',
  startedAtNs: 'started_at_ns',
  finishedAtNs: 'finished_at_ns',
  exitCode: 'exit_code',
  isOomKilled: 'is_oom_killed',
  error: 'error',
  restartCount: 'restart_count',
  hasStartedBefore: 'has_started_before',
  isManuallyStopped: 'is_manually_stopped',
  isRestartCancelled: 'is_restart_cancelled',
  isCheckpointed: 'is_checkpointed',
  isStartPending: 'is_start_pending',
  isOfBuild: 'is_of_build',
  removal: 'removal',
  killAtNs: 'kill_at_ns',
  restartAtNs: 'restart_at_ns',
  restartDelayMs: 'restart_delay_ms',
} as const satisfies Record<keyof ContainerStateRow, string>

const DOCUMENT_COLUMNS = {
  name: 'name',
  config: 'config',
  hostConfig: 'host_config',
  networking: 'networking',
} as const satisfies Record<keyof ContainerDocumentsRow, string>

const FIXED_COLUMNS = {
  id: 'id',
  createdAtNs: 'created_at_ns',
  imageId: 'image_id',
  imageReference: 'image_reference',
  platform: 'platform',
  path: 'path',
  args: 'args',
  layers: 'layers',
} as const

const COLUMNS = { ...FIXED_COLUMNS, ...DOCUMENT_COLUMNS, ...STATE_COLUMNS }

const STATE_KEYS = Object.keys(STATE_COLUMNS) as (keyof ContainerStateRow)[]
const DOCUMENT_KEYS = Object.keys(DOCUMENT_COLUMNS) as (keyof ContainerDocumentsRow)[]
const COLUMN_KEYS = Object.keys(COLUMNS) as (keyof ContainerRow)[]

/** Table `containers` with its `mounts`. Reads are for the start of the daemon; the engine keeps the rows in memory. */
export class ContainerTable {
  readonly #insert: Statement
  readonly #insertMount: Statement
  readonly #updateState: Statement
  readonly #updateDocuments: Statement
  readonly #delete: Statement
  readonly #all: Statement
  readonly #allMounts: Statement
  readonly #volumeUsers: Statement

  constructor(store: Store) {
    const { db } = store
    const names = Object.values(COLUMNS)
    this.#insert = db.prepare(
      `INSERT INTO containers (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    )
    this.#insertMount = db.prepare(
      'INSERT INTO mounts (container_id, destination, position, volume, document) VALUES (@containerId, @destination, @position, @volume, @document)',
    )
    this.#updateState = db.prepare(
      `UPDATE containers SET ${assignments(STATE_COLUMNS)} WHERE id = ?`,
    )
    this.#updateDocuments = db.prepare(
      `UPDATE containers SET ${assignments(DOCUMENT_COLUMNS)} WHERE id = ?`,
    )
    this.#delete = db.prepare('DELETE FROM containers WHERE id = ?')
    this.#all = db
      .prepare(
        `SELECT ${Object.entries(COLUMNS)
          .map(([key, column]) => `${column} AS "${key}"`)
          .join(', ')} FROM containers ORDER BY created_at_ns`,
      )
      .safeIntegers(true)
    this.#allMounts = db.prepare(
      'SELECT container_id AS containerId, destination, position, volume, document FROM mounts ORDER BY container_id, position',
    )
    this.#volumeUsers = db.prepare('SELECT container_id FROM mounts WHERE volume = ?').pluck()
  }

  insert(row: ContainerRow, mounts: readonly MountRow[]): void {
    this.#insert.run(...bindable(row, COLUMN_KEYS))
    for (const mount of mounts) this.#insertMount.run(mount)
  }

  updateState(id: string, state: ContainerStateRow): void {
    this.#updateState.run(...bindable(state, STATE_KEYS), id)
  }

  updateDocuments(id: string, documents: ContainerDocumentsRow): void {
    this.#updateDocuments.run(...bindable(documents, DOCUMENT_KEYS), id)
  }

  delete(id: string): void {
    this.#delete.run(id)
  }

  all(): ContainerRow[] {
    return (this.#all.all() as Record<string, unknown>[]).map(decode)
  }

  /** Ordered by container, then by position. */
  allMounts(): MountRow[] {
    return this.#allMounts.all() as MountRow[]
  }

  /** Ids of the containers that mount the volume. */
  volumeUsers(volume: string): string[] {
    return this.#volumeUsers.all(volume) as string[]
  }
}

function assignments(columns: Readonly<Record<string, string>>): string {
  return Object.values(columns)
    .map((column) => `${column} = ?`)
    .join(', ')
}

/** In the order of the columns: parameters by name take three times as long. SQLite has no booleans. */
function bindable<T extends object>(row: T, keys: readonly (keyof T)[]): unknown[] {
  return keys.map((key) => {
    const value = row[key]
    return typeof value === 'boolean' ? Number(value) : value
  })
}

const BIGINTS: ReadonlySet<string> = new Set([
  'createdAtNs',
  'startTime',
  'startedAtNs',
  'finishedAtNs',
  'killAtNs',
  'restartAtNs',
])
const BOOLEANS: ReadonlySet<string> = new Set([
  'isOomKilled',
  'hasStartedBefore',
  'isManuallyStopped',
  'isRestartCancelled',
  'isCheckpointed',
  'isStartPending',
  'isOfBuild',
])

function decode(row: Record<string, unknown>): ContainerRow {
  const decoded = Object.entries(row).map(([key, value]) => {
    if (typeof value !== 'bigint' || BIGINTS.has(key)) return [key, value]
    return [key, BOOLEANS.has(key) ? value !== 0n : Number(value)]
  })
  return Object.fromEntries(decoded) as ContainerRow
}
