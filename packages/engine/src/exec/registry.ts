import type { ExecConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { ExecRow, ExecTable } from '@ctr/store'

export type ExecState =
  | { readonly status: 'created' }
  | { readonly status: 'running'; readonly pid: number; readonly startTime: bigint }
  | { readonly status: 'exited'; readonly pid: number; readonly exitCode: number }

/** An additional process in a container. */
export interface Exec {
  readonly id: string
  /** Of its row. */
  readonly number: number
  readonly containerId: string
  readonly createdAtNs: bigint
  readonly config: ExecConfig
  readonly state: ExecState
}

/** All execs, in memory and in SQLite. Changes belong inside `engine.events.commit`. */
export class ExecRegistry {
  readonly #table: ExecTable
  readonly #onRollback: (undo: () => void) => void
  readonly #byId = new Map<string, Exec>()
  readonly #idsByContainer = new Map<string, Set<string>>()
  /** Of those that have ended, in that order. */
  readonly #endedByContainer = new Map<string, Set<string>>()
  readonly #watchers = new Map<string, Set<(exec: Exec | undefined) => void>>()
  /** Their clients have left on purpose: nobody's going hangs them up. */
  readonly #kept = new Set<string>()

  constructor(table: ExecTable, onRollback: (undo: () => void) => void = () => undefined) {
    this.#table = table
    this.#onRollback = onRollback
    for (const row of table.all()) this.#keep(fromRow(row))
  }

  /** By full id or unique prefix. NOT_FOUND. */
  get(reference: string): Exec {
    const exact = this.#byId.get(reference)
    if (exact !== undefined) return exact
    const found = /^[0-9a-f]{4,64}$/.test(reference)
      ? [...this.#byId.values()].filter((exec) => exec.id.startsWith(reference))
      : []
    const [first] = found
    if (first === undefined || found.length > 1) {
      throw new EngineError('NOT_FOUND', `No such exec instance: ${reference}`)
    }
    return first
  }

  find(id: string): Exec | undefined {
    return this.#byId.get(id)
  }

  all(): Exec[] {
    return [...this.#byId.values()]
  }

  ofContainer(containerId: string): Exec[] {
    const ids = this.#idsByContainer.get(containerId) ?? []
    return [...ids].flatMap((id) => this.#byId.get(id) ?? [])
  }

  /** Ids of those that have ended, the first to end first. */
  endedOfContainer(containerId: string): ReadonlySet<string> {
    return this.#endedByContainer.get(containerId) ?? NONE
  }

  /** Told each change of its state; undefined: it has gone. */
  watch(id: string, listener: (exec: Exec | undefined) => void): Disposable {
    const listeners = this.#watchers.get(id) ?? new Set()
    this.#watchers.set(id, listeners)
    listeners.add(listener)
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#watchers.delete(id)
      },
    }
  }

  keep(id: string): void {
    this.#kept.add(id)
  }

  isKept(id: string): boolean {
    return this.#kept.has(id)
  }

  insert(exec: Omit<Exec, 'number'>): void {
    const number = this.#table.insert(toRow(exec))
    this.#keep({ ...exec, number })
    this.#onRollback(() => this.forget(exec.id))
  }

  change(id: string, state: ExecState): Exec {
    const before = this.get(id)
    const after = { ...before, state }
    this.#table.update({ number: before.number, ...toRow(after) })
    this.#keep(after)
    this.#onRollback(() => this.#keep(before))
    this.#tell(id, after)
    return after
  }

  delete(id: string): void {
    const exec = this.get(id)
    this.#table.delete(exec.number)
    this.forget(id)
    this.#onRollback(() => this.#keep(exec))
  }

  deleteOfContainer(containerId: string): void {
    for (const exec of this.ofContainer(containerId)) this.delete(exec.id)
  }

  forget(id: string): void {
    const exec = this.#byId.get(id)
    if (exec === undefined) return
    this.#byId.delete(id)
    this.#kept.delete(id)
    this.#tell(id, undefined)
    remove(this.#idsByContainer, exec)
    remove(this.#endedByContainer, exec)
  }

  #tell(id: string, exec: Exec | undefined): void {
    for (const listener of this.#watchers.get(id) ?? []) listener(exec)
  }

  #keep(exec: Exec): void {
    this.#byId.set(exec.id, exec)
    add(this.#idsByContainer, exec)
    if (exec.state.status === 'exited') add(this.#endedByContainer, exec)
    else remove(this.#endedByContainer, exec)
  }
}

const NONE: ReadonlySet<string> = new Set()

type ByContainer = Map<string, Set<string>>

function add(ids: ByContainer, { id, containerId }: Exec): void {
  const siblings = ids.get(containerId) ?? new Set()
  siblings.add(id)
  ids.set(containerId, siblings)
}

function remove(ids: ByContainer, { id, containerId }: Exec): void {
  const siblings = ids.get(containerId)
  siblings?.delete(id)
  if (siblings?.size === 0) ids.delete(containerId)
}

function toRow(exec: Omit<Exec, 'number'>): Omit<ExecRow, 'number'> {
  const { state } = exec
  return {
    id: exec.id,
    containerId: exec.containerId,
    createdAtNs: exec.createdAtNs,
    config: JSON.stringify(exec.config),
    status: state.status,
    pid: state.status === 'created' ? 0 : state.pid,
    startTime: state.status === 'running' ? state.startTime : 0n,
    exitCode: state.status === 'exited' ? state.exitCode : null,
  }
}

function fromRow(row: ExecRow): Exec {
  return {
    id: row.id,
    number: row.number,
    containerId: row.containerId,
    createdAtNs: row.createdAtNs,
    config: JSON.parse(row.config) as ExecConfig,
    state: stateFromRow(row),
  }
}

function stateFromRow(row: ExecRow): ExecState {
  switch (row.status) {
    case 'running':
      return { status: 'running', pid: row.pid, startTime: row.startTime }
    case 'exited':
      return { status: 'exited', pid: row.pid, exitCode: row.exitCode ?? 137 }
    default:
      return { status: 'created' }
  }
}
