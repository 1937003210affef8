import { randomBytes } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import type { Logger } from './deps.ts'
import type { ImagePaths } from './paths.ts'

/** Deletes directories nobody waits for. What is left when the daemon ends is in `tmp` and goes at the next start. */
export class Graveyard {
  readonly #paths: ImagePaths
  readonly #log: Logger
  readonly #running = new Set<Promise<void>>()

  constructor(paths: ImagePaths, log: Logger) {
    this.#paths = paths
    this.#log = log
  }

  /** Takes `path` away at once, and deletes it in the background. Nothing happens if it is not there. */
  bury(path: string): void {
    if (!existsSync(path)) return
    const grave = join(this.#paths.tmp, `removed-${randomBytes(8).toString('hex')}`)
    try {
      renameSync(path, grave)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return
      throw error
    }
    const removal = rm(grave, { recursive: true, force: true })
      .catch((error: unknown) =>
        this.#log.warn({ error, path }, 'not deleted before the next start'),
      )
      .finally(() => this.#running.delete(removal))
    this.#running.add(removal)
  }

  /** Resolves when everything that was buried until now is gone. */
  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }
}
