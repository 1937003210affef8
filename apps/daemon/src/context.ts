import type { Engine } from '@ctr/engine'
import type { DaemonConfig } from './config/config.ts'
import type { Log } from './log.ts'

/** What route handlers work on. */
export interface Context {
  readonly engine: Engine
  readonly config: DaemonConfig
  readonly log: Log
}
