import type { Subnet } from '../address.ts'

/** What the daemon's options decide for all networks. */
export interface NetworkDefaults {
  /** Where subnets come from that nobody has named, in this order; empty: Docker's. `default-address-pools` */
  readonly addressPools: readonly AddressPool[]
  /** Driver options of new networks that do not give them, by driver. `default-network-opts` */
  readonly options: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** The host's sysctls of forwarding are switched on. `ip-forward` */
  readonly setsForwarding: boolean
  /** There is a table of nftables. Without one, published ports are the shims' listeners only, nothing is masqueraded and no network isolated. `iptables` */
  readonly hasFirewall: boolean
}

/** Subnets with `size` as their prefix length, out of `base`. */
export interface AddressPool {
  readonly base: Subnet
  readonly size: number
}

export const NETWORK_DEFAULTS: NetworkDefaults = {
  addressPools: [],
  options: {},
  setsForwarding: true,
  hasFirewall: true,
}
