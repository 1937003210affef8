import type { PoolRequest } from '@ctr/store'

/** What a user asks for. */
export interface CreateNetworkOptions {
  readonly name: string
  readonly driver?: string
  readonly isInternal?: boolean
  readonly isAttachable?: boolean
  /** Absent: it has IPv4. */
  readonly enableIpv4?: boolean | undefined
  readonly enableIpv6?: boolean
  readonly ipam?: readonly PoolRequest[]
  readonly ipamOptions?: Readonly<Record<string, string>> | undefined
  /** As asked for; the scope of every network is local. */
  readonly scope?: string
  /** The network only keeps a configuration. */
  readonly isConfigOnly?: boolean
  /** Name of a network that keeps the configuration of this one; empty: none. */
  readonly configFrom?: string
  readonly options?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
}
