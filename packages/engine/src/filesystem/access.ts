import type { Holds } from './view.ts'
import { ThreadPool } from './worker/pool.ts'

/** What access to containers' filesystems needs beside the containers. Owned by the engine. */
export class FilesystemAccess implements AsyncDisposable {
  readonly holds: Holds = new Map()
  readonly threads = new ThreadPool()

  async [Symbol.asyncDispose](): Promise<void> {
    await this.threads[Symbol.asyncDispose]()
  }
}
