import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { VolumeTable } from '@ctr/store'

/** Named storage that the engine owns; an anonymous one was named by the engine itself. */
export interface Volume {
  readonly name: string
  readonly driver: 'local'
  readonly labels: Readonly<Record<string, string>>
  /** Of the driver `local`: type, device, o; empty for a plain directory. */
  readonly options: Readonly<Record<string, string>>
  readonly isAnonymous: boolean
  readonly createdAtNs: bigint
  /** `<data-root>/volumes/<name>/_data`. */
  readonly mountpoint: string
}

/** All volumes, in memory and in SQLite. Changes belong inside `engine.events.commit`. */
export class VolumeRegistry {
  readonly #table: VolumeTable
  readonly #root: string
  readonly #onRollback: (undo: () => void) => void
  readonly #byName = new Map<string, Volume>()

  constructor(
    table: VolumeTable,
    dataRoot: string,
    onRollback: (undo: () => void) => void = () => undefined,
  ) {
    this.#table = table
    this.#root = join(dataRoot, 'volumes')
    this.#onRollback = onRollback
    for (const row of table.all()) {
      this.#byName.set(row.name, {
        name: row.name,
        driver: 'local',
        labels: JSON.parse(row.labels) as Record<string, string>,
        options: JSON.parse(row.options) as Record<string, string>,
        isAnonymous: row.isAnonymous,
        createdAtNs: row.createdAtNs,
        mountpoint: this.mountpoint(row.name),
      })
    }
  }

  /** NOT_FOUND. */
  get(name: string): Volume {
    const volume = this.#byName.get(name)
    if (volume === undefined) throw new EngineError('NOT_FOUND', `get ${name}: no such volume`)
    return volume
  }

  find(name: string): Volume | undefined {
    return this.#byName.get(name)
  }

  /** By name. */
  all(): Volume[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  insert(volume: Volume): void {
    const { mountpoint: _, ...row } = volume
    this.#table.insert({
      ...row,
      labels: JSON.stringify(volume.labels),
      options: JSON.stringify(volume.options),
    })
    this.#byName.set(volume.name, volume)
    this.#onRollback(() => this.#byName.delete(volume.name))
  }

  /** Throws (a foreign key) while a container mounts it. */
  delete(name: string): void {
    const volume = this.get(name)
    this.#table.delete(name)
    this.#byName.delete(name)
    this.#onRollback(() => this.#byName.set(name, volume))
  }

  /** Root of all volumes. */
  get root(): string {
    return this.#root
  }

  directory(name: string): string {
    return join(this.#root, name)
  }

  mountpoint(name: string): string {
    return join(this.#root, name, '_data')
  }
}
