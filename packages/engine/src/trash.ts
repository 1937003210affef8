import { setTimeout as delay } from 'node:timers/promises'
import type { Program, Spawner } from '@ctr/shim'
import type { Store } from '@ctr/store'
import type { BackgroundWork } from './engine.ts'
import type { Logger } from './logger.ts'
import { removeTree } from './remove-tree.ts'

/** So long more is waited for, so that one process removes it all. */
const GATHER_MS = 200

/**
 * Removes directories that nobody waits for, many at a time and in a process of its own: each unlink and rmdir may wait for
 * the disk, and the engine's threads have better things to do. First it makes sure that what was committed before they were
 * added is on the disk. What it does not come to must be where the next start of the engine removes it.
 */
export class Trash {
  readonly #spawner: Pick<Spawner, 'task'>
  readonly #store: Pick<Store, 'flush'>
  readonly #background: Pick<BackgroundWork, 'run'>
  readonly #log: Pick<Logger, 'debug' | 'warn'>
  #gathered: string[] = []

  constructor(deps: {
    readonly spawner: Pick<Spawner, 'task'>
    readonly store: Pick<Store, 'flush'>
    readonly background: Pick<BackgroundWork, 'run'>
    readonly log: Pick<Logger, 'debug' | 'warn'>
  }) {
    this.#spawner = deps.spawner
    this.#store = deps.store
    this.#background = deps.background
    this.#log = deps.log
  }

  add(path: string): void {
    this.#gathered.push(path)
    if (this.#gathered.length > 1) return
    this.#background.run('remove files of containers', path, async () => {
      await delay(GATHER_MS)
      const paths = this.#gathered
      this.#gathered = []
      await this.#empty(paths)
    })
  }

  async #empty(paths: readonly string[]): Promise<void> {
    try {
      await this.#store.flush()
    } catch (err) {
      // Removing is what helps on a full disk.
      this.#log.debug({ err }, 'flush removals of containers')
    }
    const program: Program = paths.map((path) => ({ op: 'remove_tree', path }))
    try {
      await using _task = await this.#spawner.task(program)
    } catch (err) {
      // Too deep, too many for the time that a task has, or the spawner has just been killed.
      this.#log.debug({ err, paths }, 'remove files of containers')
      for (const path of paths) await this.#remove(path)
    }
  }

  /** One that cannot be removed (a mount point) must not keep the others. */
  async #remove(path: string): Promise<void> {
    try {
      await removeTree(path)
    } catch (err) {
      this.#log.warn({ err, path }, 'not removed before the next start')
    }
  }
}
