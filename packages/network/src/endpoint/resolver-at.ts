import type { EndpointRow } from '@ctr/store'
import { insidePort } from '../dns/inside.ts'
import { isOutOfReach, type NetworkLeft } from '../dns/resolver.ts'
import type { EndpointParts } from './parts.ts'
import type { ResolverAt } from './plan.ts'

/** The resolver of a container, if it is the gateway of this endpoint's network, or in the container because of that. */
export function resolverOn(
  { resolver, registry }: Pick<EndpointParts, 'resolver' | 'registry'>,
  row: EndpointRow,
  { isMoved, change }: { readonly isMoved: boolean; readonly change?: NetworkLeft },
): ResolverAt | undefined {
  const gateway = resolver.addressFor(row.containerId, change)
  const { pools } = registry.get(row.networkId)
  if (gateway === undefined) {
    const isInside =
      isOutOfReach(registry.get(row.networkId)) && resolver.asksInside(row.containerId, change)
    return isInside ? { port: insidePort(row.containerId), isMoved } : undefined
  }
  if (gateway.includes(':')) return undefined
  return pools.some((pool) => pool.gateway === gateway) ? { gateway, isMoved } : undefined
}
