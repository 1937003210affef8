import { randomBytes } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import type { Logger } from './deps.ts'
import type { ImagePaths } from './paths.ts'
import { removeTrees } from './unpack/remove-trees.ts'

interface Grave {
  readonly directory: string
  readonly name: string
}

/** Deletes directories nobody waits for. What is left when the daemon ends is in `tmp` and goes at the next start. */
export class Graveyard {
  readonly #paths: ImagePaths
  readonly #log: Logger
  #waiting: Grave[] = []
  #running: Promise<void> | undefined

  constructor(paths: ImagePaths, log: Logger) {
    this.#paths = paths
    this.#log = log
  }

  /** Takes `path` away at once, and deletes it in the background. Nothing happens if it is not there. */
  bury(path: string): void {
    if (!existsSync(path)) return
    const name = `removed-${randomBytes(8).toString('hex')}`
    // Where somebody has mounted something: beside it. The next start removes what has no row.
    const directory = [this.#paths.tmp, dirname(path)].find((parent) =>
      hasMoved(path, join(parent, name)),
    )
    if (directory === undefined) {
      if (existsSync(path)) this.#log.warn({ path }, 'not deleted: something is mounted there')
      return
    }
    this.#waiting.push({ directory, name })
    this.#running ??= this.#work()
  }

  /** Resolves when everything that was buried until now is gone. */
  async settle(): Promise<void> {
    await this.#running
  }

  async #work(): Promise<void> {
    // What is buried in one go is removed in one go.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const graves = this.#waiting
      this.#waiting = []
      const byDirectory = Map.groupBy(graves, ({ directory }) => directory)
      for (const [directory, group] of byDirectory) {
        await this.#empty(
          directory,
          group.map(({ name }) => name),
        )
      }
    }
    this.#running = undefined
  }

  async #empty(directory: string, names: readonly string[]): Promise<void> {
    if (await this.#remove(directory, names)) return
    // One that cannot be removed must not keep the others.
    for (const name of names) {
      if (existsSync(join(directory, name))) await this.#remove(directory, [name])
    }
  }

  async #remove(directory: string, names: readonly string[]): Promise<boolean> {
    try {
      await removeTrees(directory, names)
      return true
    } catch (error) {
      this.#log.warn({ error, directory, names }, 'not deleted before the next start')
      return false
    }
  }
}

/** False if it is not there, or cannot be moved for what is mounted. */
function hasMoved(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EXDEV', 'EBUSY')) return false
    throw error
  }
}
