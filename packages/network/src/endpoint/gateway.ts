import type { EndpointRow } from '@ctr/store'
import { isLan, lanLeadsOut } from '../lan/options.ts'
import { isBridged, type Network } from '../network/network.ts'

/** What decides which of a container's networks has the default route and publishes its ports. */
export interface GatewayCandidate {
  readonly network: Network
  /** `gw-priority` of the endpoint. */
  readonly priority: number
}

/** Of networks that lead out the one with the highest priority, then the first by name: Docker's rule. Undefined: none leads out. */
export function bestGateway<T extends GatewayCandidate>(candidates: readonly T[]): T | undefined {
  return candidates
    .filter(({ network }) => leadsOut(network))
    .sort((a, b) => b.priority - a.priority || (a.network.name < b.network.name ? -1 : 1))[0]
}

export function leadsOut(network: Network): boolean {
  return isLan(network) ? lanLeadsOut(network) : isBridged(network) && !network.isInternal
}

/** The endpoint that has the default route. */
export function gatewayEndpoint(
  rows: readonly EndpointRow[],
  networkOf: (id: string) => Network,
): EndpointRow | undefined {
  const candidates = rows.map((row) => ({
    row,
    network: networkOf(row.networkId),
    priority: row.gatewayPriority,
  }))
  return bestGateway(candidates)?.row
}
