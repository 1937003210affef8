import { randomBytes } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import type { Logger } from './deps.ts'
import type { ImagePaths } from './paths.ts'
import { removeTrees } from './unpack/remove-trees.ts'

/** Deletes directories nobody waits for. What is left when the daemon ends is in `tmp` and goes at the next start. */
export class Graveyard {
  readonly #paths: ImagePaths
  readonly #log: Logger
  #waiting: string[] = []
  #running: Promise<void> | undefined

  constructor(paths: ImagePaths, log: Logger) {
    this.#paths = paths
    this.#log = log
  }

  /** Takes `path` away at once, and deletes it in the background. Nothing happens if it is not there. */
  bury(path: string): void {
    if (!existsSync(path)) return
    const grave = `removed-${randomBytes(8).toString('hex')}`
    try {
      renameSync(path, join(this.#paths.tmp, grave))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return
      throw error
    }
    this.#waiting.push(grave)
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
      if (await this.#remove(graves)) continue
      // One that cannot be removed must not keep the others.
      for (const grave of graves) if (this.#isThere(grave)) await this.#remove([grave])
    }
    this.#running = undefined
  }

  #isThere(grave: string): boolean {
    return existsSync(join(this.#paths.tmp, grave))
  }

  async #remove(graves: readonly string[]): Promise<boolean> {
    try {
      await removeTrees(this.#paths.tmp, graves)
      return true
    } catch (error) {
      this.#log.warn({ error, graves }, 'not deleted before the next start')
      return false
    }
  }
}
