import type { EndpointNames, EndpointRow } from './endpoint-rows.ts'

interface PendingEndpoint {
  readonly row: EndpointRow
  readonly names: EndpointNames
}

/**
 * Endpoints that are in `kept_endpoints`, and not in the tables in memory yet: most containers end before anybody asks these, and to
 * write and delete a row of them with its indexes took a twentieth of the main thread's part of a container's life.
 */
export class PendingEndpoints {
  readonly #byId = new Map<string, PendingEndpoint>()
  readonly #addresses = new Set<string>()

  get isEmpty(): boolean {
    return this.#byId.size === 0
  }

  add(row: EndpointRow, names: EndpointNames): void {
    this.#byId.set(row.id, { row, names })
    for (const key of addressKeys(row)) this.#addresses.add(key)
  }

  /** True if it was here. */
  delete(id: string): boolean {
    const pending = this.#byId.get(id)
    if (pending === undefined) return false
    for (const key of addressKeys(pending.row)) this.#addresses.delete(key)
    return this.#byId.delete(id)
  }

  hasAddress(networkId: string, family: 4 | 6, address: bigint): boolean {
    return this.#addresses.has(addressKey(networkId, family, address))
  }

  containerIds(): string[] {
    return [...this.#byId.values()].map(({ row }) => row.containerId)
  }

  values(): PendingEndpoint[] {
    return [...this.#byId.values()]
  }

  clear(): void {
    this.#byId.clear()
    this.#addresses.clear()
  }
}

/**
 * One that contradicts no other as long as its addresses are free: the first of its container, its link named after its own id. It
 * holds no port, which every search for a free one would ask for.
 */
export function canBePending(row: EndpointRow, others: readonly EndpointRow[]): boolean {
  return others.length === 0 && row.ports.length === 0 && row.link === `veth${row.id.slice(0, 11)}`
}

function addressKeys({ networkId, ipv4, ipv6 }: EndpointRow): string[] {
  return [
    ...(ipv4 === undefined ? [] : [addressKey(networkId, 4, ipv4)]),
    ...(ipv6 === undefined ? [] : [addressKey(networkId, 6, ipv6)]),
  ]
}

function addressKey(networkId: string, family: 4 | 6, address: bigint): string {
  return `${networkId} ${family} ${address}`
}
