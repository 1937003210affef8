import type { EndpointNames, EndpointRow } from './endpoint-rows.ts'

/** Of `kept_endpoints`. */
export interface KeptRow {
  readonly id: string
  readonly document: string
}

/** As migration 011 writes it: addresses in hex digits, no booleans. What came later may be absent. */
interface EndpointDocument
  extends Omit<
      EndpointRow,
      'id' | 'link' | 'isGateway' | 'gatewayPriority' | 'isChanging' | 'ipv4' | 'ipv6'
    >,
    EndpointNames {
  readonly link: string | null
  readonly isGateway: number
  readonly gatewayPriority?: number
  readonly isChanging?: number
  readonly ipv4: string | null
  readonly ipv6: string | null
}

export function toDocument(row: EndpointRow, names: EndpointNames): string {
  const document: EndpointDocument = {
    ...row,
    link: row.link ?? null,
    isGateway: Number(row.isGateway),
    isChanging: Number(row.isChanging),
    ipv4: row.ipv4 === undefined ? null : row.ipv4.toString(16),
    ipv6: row.ipv6 === undefined ? null : row.ipv6.toString(16),
    ...names,
  }
  return JSON.stringify(document)
}

export function fromDocument({ id, document }: KeptRow): {
  row: EndpointRow
  names: EndpointNames
} {
  const { names, nameservers, links, ...row } = JSON.parse(document) as EndpointDocument
  const ip = (hex: string | null): bigint | undefined =>
    hex === null ? undefined : BigInt(`0x${hex}`)
  return {
    row: {
      ...row,
      id,
      link: row.link ?? undefined,
      isGateway: row.isGateway !== 0,
      gatewayPriority: row.gatewayPriority ?? 0,
      isChanging: (row.isChanging ?? 0) !== 0,
      ipv4: ip(row.ipv4),
      ipv6: ip(row.ipv6),
    },
    names: { names, nameservers, links },
  }
}
