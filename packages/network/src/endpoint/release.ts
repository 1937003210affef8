import { type EndpointRow, volatileTransaction } from '@ctr/store'
import { publicationsOf } from './endpoint.ts'
import type { EndpointParts } from './parts.ts'

/** Gives back all that endpoints hold; their links go with the network namespace. Doing it again changes nothing. */
export async function releaseEndpoints(
  parts: EndpointParts,
  rows: readonly EndpointRow[],
): Promise<void> {
  if (rows.length === 0) return
  const forget = (): void =>
    volatileTransaction(parts.options.store, () => forgetEndpoints(parts, rows))
  if (parts.firewall === undefined) return forget()
  await parts.firewall.replace(
    { from: rows.flatMap((row) => publicationsOf(row, parts.registry.get(row.networkId))), to: [] },
    forget,
  )
}

/** Within a transaction. */
export function forgetEndpoints(parts: EndpointParts, rows: readonly EndpointRow[]): void {
  for (const row of rows) {
    parts.endpoints.delete(row)
    parts.lowestFree.returned(row.networkId, 4, row.ipv4)
    parts.lowestFree.returned(row.networkId, 6, row.ipv6)
  }
  for (const { containerId } of rows) {
    if (parts.endpoints.ofContainer(containerId).length === 0) parts.resolver.leave(containerId)
  }
  parts.resolver.forget()
}
