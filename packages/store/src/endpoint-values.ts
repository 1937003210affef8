import type { EndpointRow, PublishedPortRow } from './endpoint-rows.ts'

/** Of the networks host and none. */
export function isBare({ link, ipv4, ipv6, ports }: EndpointRow): boolean {
  return link === undefined && ipv4 === undefined && ipv6 === undefined && ports.length === 0
}

export function comparePorts(a: PublishedPortRow, b: PublishedPortRow): number {
  return (
    a.containerPort - b.containerPort ||
    compareText(a.protocol, b.protocol) ||
    a.hostPort - b.hostPort ||
    compareText(a.hostIp, b.hostIp)
  )
}

/** As SQLite's BINARY, for ASCII. */
export function compareText(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}

export interface RawAddress {
  readonly family: number
  readonly address: Buffer
}

export type RawEndpoint = Omit<
  EndpointRow,
  'link' | 'aliases' | 'isGateway' | 'isChanging' | 'ipv4' | 'ipv6' | 'ports'
> & {
  link: string | null
  aliases: string
  isGateway: number
  isChanging: number
}

export function toBlob(value: bigint, family: 4 | 6): Buffer {
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex')
}

export function fromBlob(blob: Buffer): bigint {
  return BigInt(`0x${blob.toString('hex')}`)
}
