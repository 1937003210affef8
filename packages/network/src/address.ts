import { isIP } from 'node:net'

export type Family = 4 | 6

/** One IP address; its `value` is the big-endian number. */
export interface Address {
  readonly family: Family
  readonly value: bigint
}

/** A subnet: `address` is its first address. */
export interface Subnet {
  readonly family: Family
  readonly address: bigint
  readonly prefix: number
}

/** Undefined for anything but one plain address; zones (`fe80::1%eth0`) are refused. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes('%')) return undefined
  switch (isIP(text)) {
    case 4:
      return { family: 4, value: ipv4Value(text) }
    case 6:
      return { family: 6, value: ipv6Value(text) }
    default:
      return undefined
  }
}

/** `10.1.2.0/24` and `10.1.2.3/24` both give the subnet 10.1.2.0/24. */
export function parseSubnet(text: string): Subnet | undefined {
  const parsed = parseInterfaceAddress(text)
  if (parsed === undefined) return undefined
  const { family, prefix, value } = parsed
  return {
    family,
    prefix,
    address: (value >> hostBits(family, prefix)) << hostBits(family, prefix),
  }
}

/** An address with its prefix length, as on an interface: `10.1.2.3/24`. */
export function parseInterfaceAddress(text: string): (Address & { prefix: number }) | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const address = parseAddress(match[1] ?? '')
  const prefix = Number(match[2])
  if (address === undefined || prefix > width(address.family)) return undefined
  return { ...address, prefix }
}

export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIpv4(address.value) : formatIpv6(address.value)
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress({ family: subnet.family, value: subnet.address })}/${subnet.prefix}`
}

/** Network byte order, 4 or 16 bytes. */
export function addressBytes(address: Address): Buffer {
  return Buffer.from(address.value.toString(16).padStart(width(address.family) / 4, '0'), 'hex')
}

/** 16 bytes: IPv6, or IPv4 as ::ffff:a.b.c.d. RFC 4291 §2.5.5.2 */
export function mappedAddress(text: string): Buffer {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  const mapped = address.family === 4 ? (0xffffn << 32n) | address.value : address.value
  return addressBytes({ family: 6, value: mapped })
}

export function lastAddress(subnet: Subnet): bigint {
  return subnet.address + (1n << hostBits(subnet.family, subnet.prefix)) - 1n
}

export function contains(subnet: Subnet, address: Address): boolean {
  return (
    subnet.family === address.family &&
    address.value >= subnet.address &&
    address.value <= lastAddress(subnet)
  )
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.address <= lastAddress(b) && b.address <= lastAddress(a)
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(address: Address): boolean {
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n
}

/** Docker's: 02:42 and the IPv4 address, so that a reused address keeps its neighbours' ARP entries valid. */
export function macOf(ipv4: bigint): string {
  return formatMac(
    Buffer.concat([Buffer.from([0x02, 0x42]), addressBytes({ family: 4, value: ipv4 })]),
  )
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Undefined unless six octets that are no multicast address and not all zero: the kernel refuses those. */
export function parseMac(text: string): Buffer | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined
  const bytes = Buffer.from(text.replaceAll(/[:-]/g, ''), 'hex')
  const isUnicast = ((bytes[0] ?? 0) & 1) === 0
  return isUnicast && bytes.some((byte) => byte !== 0) ? bytes : undefined
}

export function hostBits(family: Family, prefix: number): bigint {
  return BigInt(width(family) - prefix)
}

function width(family: Family): number {
  return family === 4 ? 32 : 128
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function ipv6Value(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted !== null) {
    const tail = ipv4Value(dotted[2] ?? '')
    return ipv6Value(`${dotted[1]}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`)
  }
  const [head = '', tail] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  const groups = tail === undefined ? left : [...left, ...zeros, ...right]
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
}

/** RFC 5952: the longest run of two or more zero groups, the first of equals, is `::`. */
function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  )
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':')
  if (best.start < 0) return hex(groups)
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`
}
