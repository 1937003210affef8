import { EngineError } from '@ctr/errdefs'
import type { NetworkRow, PoolRow } from '@ctr/store'
import { type Address, parseAddress, parseSubnet } from '../address.ts'
import { OPTION_MTU } from '../endpoint/link-options.ts'
import type { BridgeRules } from '../firewall/render.ts'
import { gatewayMode, trustedInterfaces } from './gateway-mode.ts'
import type { Pool } from './ipam.ts'
import { NO_GATEWAY } from './no-gateway.ts'

export type Network = NetworkRow
export type BridgedNetwork = Network & { readonly bridge: string }

/** What every daemon has; made at its first start. */
export const PREDEFINED = [
  { name: 'bridge', driver: 'bridge' },
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
] as const

export function isPredefined(network: Network): boolean {
  return PREDEFINED.some(({ name }) => name === network.name)
}

export function isBridged(network: Network): network is BridgedNetwork {
  return network.bridge !== undefined
}

/** Containers have a link, with addresses, to such a network. */
export function hasLinks(network: Network): boolean {
  return network.driver !== 'host' && network.driver !== 'null'
}

/** Docker's names of driver options that we act on; others are stored and shown. */
export const OPTION_BRIDGE_NAME = 'com.docker.network.bridge.name'
export const OPTION_ICC = 'com.docker.network.bridge.enable_icc'
export const OPTION_MASQUERADE = 'com.docker.network.bridge.enable_ip_masquerade'
export const OPTION_DEFAULT_BRIDGE = 'com.docker.network.bridge.default_bridge'
export const OPTION_HOST_BINDING = 'com.docker.network.bridge.host_binding_ipv4'

/** Docker's names of auxiliary addresses that are the containers' way out, instead of the bridge. libnetwork drivers/bridge */
export const AUX_GATEWAY = 'DefaultGatewayIPv4'
export const AUX_GATEWAY_IPV6 = 'DefaultGatewayIPv6'

export function mtuOf(network: Network): number | undefined {
  const text = network.options[OPTION_MTU]
  return text === undefined ? undefined : Number(text)
}

/** A change of a network is another object. */
const known = new WeakMap<Network, readonly Pool[]>()

export function poolsOf(network: Network): readonly Pool[] {
  const pools = known.get(network) ?? network.pools.map(parsePool)
  known.set(network, pools)
  return pools
}

export function parsePool(row: PoolRow): Pool {
  const subnet = parseSubnet(row.subnet)
  const gateway = row.gateway === NO_GATEWAY ? undefined : parseAddress(row.gateway)
  const range = row.ipRange === undefined ? subnet : parseSubnet(row.ipRange)
  if (subnet === undefined || range === undefined) {
    throw new EngineError('INTERNAL', `the stored pool ${row.subnet} cannot be read`)
  }
  const auxiliary = Object.values(row.auxAddresses).flatMap(
    (text) => parseAddress(text)?.value ?? [],
  )
  return { subnet, gateway: gateway?.value, range, auxiliary, isExplicit: row.isExplicit }
}

/** The bridge's own addresses: the gateways. */
export function bridgeAddresses(network: Network): { address: Address; prefix: number }[] {
  return poolsOf(network).flatMap(({ subnet: { family, prefix }, gateway: value }) =>
    value === undefined || gatewayMode(network, family) === 'isolated'
      ? []
      : [{ address: { family, value }, prefix }],
  )
}

export function rulesOf(network: BridgedNetwork): BridgeRules {
  const subnetOf = (isV6: boolean): string | undefined =>
    network.pools.find((pool) => pool.subnet.includes(':') === isV6)?.subnet
  return {
    link: network.bridge,
    ipv4Subnet: subnetOf(false),
    ipv6Subnet: subnetOf(true),
    isInternal: network.isInternal,
    allowsInterContainer: isTrue(network.options[OPTION_ICC], true),
    masquerades: isTrue(network.options[OPTION_MASQUERADE], true),
    ipv4Mode: gatewayMode(network, 4),
    ipv6Mode: gatewayMode(network, 6),
    trusted: trustedInterfaces(network),
  }
}

function isTrue(text: string | undefined, fallback: boolean): boolean {
  return text === undefined ? fallback : /^(1|t|true)$/i.test(text)
}
