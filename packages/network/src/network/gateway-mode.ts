import { EngineError } from '@ctr/errdefs'
import type { Family } from '../address.ts'
import type { Network } from './network.ts'

/**
 * How a family of addresses on a bridge is reached from outside. moby libnetwork drivers/bridge
 *
 * - `nat`: by ports of the host. What leaves takes the host's address.
 * - `nat-unprotected`: so, and every port at the containers' own addresses by who has a route to them.
 * - `routed`: published ports at the containers' own addresses, by their own numbers; no address is translated.
 * - `isolated`: internal, and not even the host is on the bridge.
 */
export type GatewayMode = (typeof MODES)[number]

const MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const

const OPTIONS: Readonly<Record<Family, string>> = {
  4: 'com.docker.network.bridge.gateway_mode_ipv4',
  6: 'com.docker.network.bridge.gateway_mode_ipv6',
}
/** Links of the host behind which published ports may be reached at the containers' own addresses; separated by colons. */
const OPTION_TRUSTED = 'com.docker.network.bridge.trusted_host_interfaces'

export function gatewayMode({ options }: Pick<Network, 'options'>, family: Family): GatewayMode {
  const text = options[OPTIONS[family]]
  return MODES.find((mode) => mode === text) ?? 'nat'
}

export function trustedInterfaces({ options }: Pick<Network, 'options'>): string[] {
  return (options[OPTION_TRUSTED] ?? '').split(':').filter((name) => name !== '')
}

/** INVALID_ARGUMENT, with dockerd's texts. */
export function checkGatewayModes(options: Network['options'], isInternal: boolean): void {
  for (const key of Object.values(OPTIONS)) {
    const mode = options[key]
    if (mode === undefined || mode === '') continue
    if (!MODES.some((known) => known === mode)) {
      const message = `failed to parse ${key} value: ${mode} (unknown gateway mode ${mode})`
      throw new EngineError('INVALID_ARGUMENT', message)
    }
    if (mode !== 'isolated' || isInternal) continue
    throw new EngineError(
      'INVALID_ARGUMENT',
      "gateway mode 'isolated' can only be used for an internal network",
    )
  }
  for (const name of trustedInterfaces({ options })) {
    // They stand in the firewall's rules. IFNAMSIZ
    if (/^[A-Za-z0-9_.@-]{1,15}$/.test(name)) continue
    throw new EngineError('INVALID_ARGUMENT', `${OPTION_TRUSTED}: ${name} is no name of a link`)
  }
}

/** What a published port of each family is on this network; `none`: containers have no such address. */
export interface PortModes {
  readonly ipv4: PortMode
  readonly ipv6: PortMode
}

type PortMode = 'host' | 'routed' | 'none'

export function portModes(network: Network): PortModes {
  // As dockerd: on a network of the driver macvlan or ipvlan nothing is published.
  if (network.driver !== 'bridge') return { ipv4: 'none', ipv6: 'none' }
  const of = (family: Family): PortMode => {
    if (!network.pools.some(({ subnet }) => subnet.includes(':') === (family === 6))) return 'none'
    return gatewayMode(network, family) === 'routed' ? 'routed' : 'host'
  }
  return { ipv4: of(4), ipv6: of(6) }
}

/** What is published on one of them is published on the other by the same numbers. */
export function areAlike(a: Network, b: Network): boolean {
  if (a.driver !== b.driver) return false
  const [one, other] = [portModes(a), portModes(b)]
  const isRouted = ({ ipv4, ipv6 }: PortModes): boolean => ipv4 === 'routed' || ipv6 === 'routed'
  if (!isRouted(one) && !isRouted(other)) return true
  return one.ipv4 === other.ipv4 && one.ipv6 === other.ipv6
}
