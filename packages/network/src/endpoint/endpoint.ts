import type { EndpointRow } from '@ctr/store'
import { contains, formatAddress, parseSubnet } from '../address.ts'
import type { Publication } from '../firewall/render.ts'
import { trustedInterfaces } from '../network/gateway-mode.ts'
import { AUX_GATEWAY, AUX_GATEWAY_IPV6, type Network } from '../network/network.ts'

export interface EndpointAddress {
  readonly address: string
  readonly prefix: number
  /** Empty: there is none. */
  readonly gateway: string
}

/** A container on a network. */
export interface Endpoint extends Omit<EndpointRow, 'ipv4' | 'ipv6'> {
  readonly networkName: string
  readonly driver: Network['driver']
  readonly ipv4: EndpointAddress | undefined
  readonly ipv6: EndpointAddress | undefined
  /** `ports`, with the container's address behind each. */
  readonly publications: readonly Publication[]
}

/** The same value for the same row: rows are not changed but replaced, and so are networks. */
export function toEndpoint(row: EndpointRow, network: Network): Endpoint {
  const known = shown.get(row)
  if (known?.network === network) return known.endpoint
  const endpoint = makeEndpoint(row, network)
  shown.set(row, { network, endpoint })
  return endpoint
}

const shown = new WeakMap<EndpointRow, { network: Network; endpoint: Endpoint }>()

function makeEndpoint(row: EndpointRow, network: Network): Endpoint {
  const addressOf = (family: 4 | 6, value: bigint | undefined): EndpointAddress | undefined => {
    if (value === undefined) return undefined
    // A bridge has one pool of each family.
    const pool = network.pools.find(({ subnet: text }) => {
      const subnet = parseSubnet(text)
      return subnet !== undefined && contains(subnet, { family, value })
    })
    if (pool === undefined) return undefined
    const prefix = Number(pool.subnet.split('/')[1])
    const gateway = pool.auxAddresses[family === 4 ? AUX_GATEWAY : AUX_GATEWAY_IPV6] ?? pool.gateway
    return { address: formatAddress({ family, value }), prefix, gateway }
  }
  return {
    ...row,
    networkName: network.name,
    driver: network.driver,
    ipv4: addressOf(4, row.ipv4),
    ipv6: addressOf(6, row.ipv6),
    publications: publicationsOf(row, network),
  }
}

/** A port leads to the container's address of its own family, or to IPv4 when the container has no IPv6. */
export function publicationsOf(row: EndpointRow, network: Network): Publication[] {
  if (row.ports.length === 0) return []
  const isTrusting = trustedInterfaces(network).length > 0
  const ipv4 = row.ipv4 === undefined ? undefined : formatAddress({ family: 4, value: row.ipv4 })
  const ipv6 = row.ipv6 === undefined ? undefined : formatAddress({ family: 6, value: row.ipv6 })
  return row.ports.flatMap((port) => {
    const targetAddress = port.hostIp.includes(':') ? (ipv6 ?? ipv4) : ipv4
    if (targetAddress === undefined) return []
    return [{ ...port, targetAddress, isDirect: isTrusting || port.hostPort === 0 }]
  })
}
