import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SpreadPlaces, spareLayer } from '@ctr/images'
import type { Program, Spawner } from '@ctr/shim'
import type { BackgroundWork } from '../engine.ts'
import type { Logger } from '../logger.ts'

/** A busy engine takes some ten in the time that a batch needs. */
const MAX = 32

/**
 * Directories of containers to come, made by a native process, many at a time: a creation renames one, where making them took
 * the engine a tenth of a container's life. They lie in tmp/, which the next start of the engine empties.
 */
export class SpareDirectories {
  readonly #spawner: Pick<Spawner, 'task'>
  readonly #background: Pick<BackgroundWork, 'run'>
  readonly #log: Pick<Logger, 'debug'>
  readonly #tmp: string
  readonly #places: SpreadPlaces
  #ready: string[] = []
  #isMaking = false

  constructor(deps: {
    readonly spawner: Pick<Spawner, 'task'>
    readonly background: Pick<BackgroundWork, 'run'>
    readonly log: Pick<Logger, 'debug'>
    readonly dataRoot: string
  }) {
    this.#spawner = deps.spawner
    this.#background = deps.background
    this.#log = deps.log
    this.#tmp = join(deps.dataRoot, 'tmp')
    this.#places = new SpreadPlaces(this.#tmp)
  }

  /** The caller's from now on; undefined: there is none just now. It may be gone, if somebody has emptied tmp/. */
  take(): string | undefined {
    const path = this.#ready.pop()
    if (this.#ready.length <= MAX / 2) this.make()
    return path
  }

  /** In the background. */
  make(): void {
    if (this.#isMaking) return
    this.#isMaking = true
    this.#background.run('make spare directories', this.#tmp, () => this.#fill())
  }

  async #fill(): Promise<void> {
    const batch = join(this.#places.next(), `spare-${randomBytes(8).toString('hex')}`)
    const paths = Array.from({ length: MAX - this.#ready.length }, (_, n) => `${batch}-${n}`)
    const program: Program = paths
      .flatMap(spareLayer)
      .map(({ path, mode }) => ({ op: 'directory', path, mode }))
    try {
      await using _task = await this.#spawner.task(program)
      this.#ready.push(...paths)
    } catch (err) {
      // A full disk, or the spawner has just been killed. Creations make their own and say what is wrong.
      this.#log.debug({ err }, 'make spare directories')
      // The next creation tries again: what was made until then must not add up on a disk that is full.
      await this.#remove(paths)
    } finally {
      this.#isMaking = false
    }
  }

  async #remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await rm(path, { recursive: true, force: true }).catch((err: unknown) =>
        this.#log.debug({ err, path }, 'remove a spare directory'),
      )
    }
  }
}
