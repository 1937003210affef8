import { EngineError } from '@ctr/errdefs'
import {
  type Address,
  contains,
  type Family,
  formatAddress,
  hostBits,
  lastAddress,
  overlaps,
  parseSubnet,
  type Subnet,
} from '../address.ts'
import type { AddressPool } from './defaults.ts'

/** Addresses of one family that a network gives out. */
export interface Pool {
  readonly subnet: Subnet
  /** Undefined: it has none. */
  readonly gateway: bigint | undefined
  /** Part of the subnet for containers that ask for no address. */
  readonly range: Subnet
  /** Held back for others: `--aux-address`. */
  readonly auxiliary: readonly bigint[]
  /** The user named the subnet, so containers may ask for addresses in it. */
  readonly isExplicit: boolean
}

/** Which addresses endpoints have. `from` yields them in order, so the search stops at the first gap. */
export interface AddressBook {
  /** Everything below it that may be given out is taken; a place to begin the search. */
  readonly lowestFree?: bigint | undefined
  from(family: Family, first: bigint): Iterable<bigint>
  isTaken(family: Family, address: bigint): boolean
}

/** The lowest free address: a removed container's is the next one given out. */
export function allocateAddress(
  pool: Pool,
  book: AddressBook,
  network: { name: string; id: string },
): bigint {
  const { family } = pool.subnet
  const { first: start, last } = usable(pool)
  const { lowestFree = start } = book
  const first = lowestFree > start ? lowestFree : start
  const reserved = new Set([pool.gateway, ...pool.auxiliary])
  let candidate = first
  const skipReserved = (): void => {
    while (reserved.has(candidate)) candidate++
  }
  skipReserved()
  // Mostly the hint is right, and one question is less than a walk.
  if (book.lowestFree !== undefined && candidate <= last && !book.isTaken(family, candidate)) {
    return candidate
  }
  for (const taken of book.from(family, first)) {
    if (taken > candidate) break
    if (taken === candidate) candidate++
    skipReserved()
  }
  if (candidate <= last) return candidate
  throw new EngineError(
    'INTERNAL',
    `no available IPv${family} addresses on this network's address pools: ${network.name} (${network.id})`,
  )
}

/**
 * Where the search for a free address begins, by network and family: without it, each search would walk over all the
 * addresses in use. Only a hint, kept in memory: when in doubt, forget it.
 */
export class LowestFree {
  readonly #hints = new Map<string, bigint>()

  get(networkId: string, family: Family): bigint | undefined {
    return this.#hints.get(`${networkId} ${family}`)
  }

  /** `address` was the lowest free one and is taken now. */
  taken(networkId: string, family: Family, address: bigint): void {
    this.#hints.set(`${networkId} ${family}`, address + 1n)
  }

  returned(networkId: string, family: Family, address: bigint | undefined): void {
    const hint = this.get(networkId, family)
    if (address === undefined || hint === undefined || address >= hint) return
    this.#hints.set(`${networkId} ${family}`, address)
  }

  forget(): void {
    this.#hints.clear()
  }
}

/** `--ip`, `--ip6`: checks an address that a user asks for. */
export function requestAddress(
  pools: readonly Pool[],
  address: Address,
  book: AddressBook,
): bigint {
  if (!pools.some((pool) => pool.isExplicit)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    )
  }
  const pool = pools.find((candidate) => contains(candidate.subnet, address))
  if (pool === undefined || !isUsable(pool, address.value)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `Invalid address ${formatAddress(address)}: It does not belong to any of this network's subnets`,
    )
  }
  const isHeld = address.value === pool.gateway || pool.auxiliary.includes(address.value)
  if (isHeld || book.isTaken(address.family, address.value)) {
    throw new EngineError('FORBIDDEN', 'Address already in use')
  }
  return address.value
}

/** The gateway of a subnet whose user named none. */
export function defaultGateway(range: Subnet): bigint {
  return range.address + 1n
}

/** Without pools Docker's: 172.17–31.0.0/16, then 192.168.0.0/16 by /20. The default bridge begins at 172.17, others too. */
export function chooseSubnet(taken: readonly Subnet[], pools: readonly AddressPool[] = []): Subnet {
  const own = pools.filter(({ base }) => base.family === 4)
  const free = own.length === 0 ? firstFree(DEFAULT_POOLS, taken) : firstFree(own, taken)
  if (free !== undefined) return free
  throw new EngineError(
    'INVALID_ARGUMENT',
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
  )
}

/** Out of the pools; without one a unique local subnet (RFC 4193): fd, 40 random bits, subnet 0. */
export function chooseIpv6Subnet(
  random: Uint8Array,
  taken: readonly Subnet[] = [],
  pools: readonly AddressPool[] = [],
): Subnet {
  const own = pools.filter(({ base }) => base.family === 6)
  const free = firstFree(own, taken)
  if (free !== undefined) return free
  if (own.length > 0) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'could not find an available, non-overlapping IPv6 address pool among the defaults to assign to the network',
    )
  }
  const bits = [0xfd, ...random.subarray(0, 5)].reduce(
    (value, byte) => (value << 8n) | BigInt(byte),
    0n,
  )
  return { family: 6, address: bits << 80n, prefix: 64 }
}

/** Each step leaves a taken subnet behind: pools may be large. */
function firstFree(pools: readonly AddressPool[], taken: readonly Subnet[]): Subnet | undefined {
  for (const { base, size } of pools) {
    const step = 1n << hostBits(base.family, size)
    let { address } = base
    while (address <= lastAddress(base)) {
      const candidate = { family: base.family, address, prefix: size }
      const other = taken.find((subnet) => overlaps(subnet, candidate))
      if (other === undefined) return candidate
      const behind = lastAddress(other) + 1n
      address = behind > address + step ? ((behind + step - 1n) / step) * step : address + step
    }
  }
  return undefined
}

/** libnetwork ipamutils/utils.go */
const DEFAULT_POOLS: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, index) => ({
    base: known(`172.${17 + index}.0.0/16`),
    size: 16,
  })),
  { base: known('192.168.0.0/16'), size: 20 },
]

function known(text: string): Subnet {
  const subnet = parseSubnet(text)
  if (subnet === undefined) throw new EngineError('INTERNAL', `not a subnet: ${text}`)
  return subnet
}

/** First and last address for containers: not the network's own, not the broadcast address. */
function usable(pool: Pool): { first: bigint; last: bigint } {
  const first =
    pool.range.address === pool.subnet.address ? pool.subnet.address + 1n : pool.range.address
  const last = lastAddress(pool.range)
  const isBroadcast = pool.subnet.family === 4 && last === lastAddress(pool.subnet)
  return hostBits(pool.subnet.family, pool.subnet.prefix) < 2n
    ? { first: pool.range.address, last }
    : { first, last: isBroadcast ? last - 1n : last }
}

function isUsable(pool: Pool, address: bigint): boolean {
  const { first, last } = usable({ ...pool, range: pool.subnet })
  return address >= first && address <= last
}
