import type { Engine } from '@ctr/engine'
import type { DaemonConfig } from './config/config.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics/metrics.ts'

/** What route handlers work on. */
export interface Context {
  readonly engine: Engine
  readonly config: DaemonConfig
  readonly log: Log
  /** Only with --metrics-addr. */
  readonly metrics: Metrics | undefined
}
