import type { Store } from '@ctr/store'
import type { WantedBridge } from './bridge/default.ts'
import type { Exec } from './bridge/link.ts'
import type { NetworkDefaults } from './network/defaults.ts'

export interface NetworksOptions {
  readonly store: Store
  readonly log: Logger
  /** Runs a task program in the daemon's namespaces. */
  readonly exec: Exec
  readonly bridge: { readonly kind: 'none' } | ({ readonly kind: 'bridge' } & WantedBridge)
  readonly defaults: NetworkDefaults
  /** Short and unique to this daemon: names its nftables table and marks its links. Letters, digits, `-`. */
  readonly instance: string
  /** 64 hex digits that nobody else has. */
  readonly newId: () => string
}

export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
