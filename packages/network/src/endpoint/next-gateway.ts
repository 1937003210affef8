import type { EndpointRow } from '@ctr/store'
import { isBridged, type Network } from '../network/network.ts'

/** The endpoint that has the default route: the first by name of the networks that lead out. */
export function nextGateway(
  rows: readonly EndpointRow[],
  networkOf: (id: string) => Network,
): EndpointRow | undefined {
  const nameOf = (row: EndpointRow): string => networkOf(row.networkId).name
  const leadsOut = (row: EndpointRow): boolean => {
    const network = networkOf(row.networkId)
    return isBridged(network) && !network.isInternal
  }
  return rows.filter(leadsOut).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))[0]
}
