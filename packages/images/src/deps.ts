import type { ImageTable, Store } from '@ctr/store'
import type { Graveyard } from './graveyard.ts'
import type { UnsyncedLayers } from './layer/unsynced.ts'
import type { ImagePaths } from './paths.ts'
import type { BlobLocks } from './registry/download.ts'
import type { RegistrySettings } from './registry/endpoint.ts'
import type { WorkerPool } from './worker/pool.ts'

/** pino's shape, what is used of it. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What every operation on images works with. */
export interface ImageDeps {
  readonly store: Store
  readonly table: ImageTable
  readonly paths: ImagePaths
  readonly pool: WorkerPool
  readonly graveyard: Graveyard
  readonly unsynced: UnsyncedLayers
  readonly log: Logger
  /** Replaced as a whole when the daemon's configuration is reloaded. */
  registries: RegistrySettings
  readonly blobLocks: BlobLocks
}
