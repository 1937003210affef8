import { randomBytes } from 'node:crypto'
import { EngineError } from '@ctr/errdefs'
import { interfaceIndex } from '@ctr/linux'
import type { PoolRow } from '@ctr/store'
import {
  type Address,
  formatAddress,
  formatSubnet,
  lastAddress,
  parseInterfaceAddress,
  parseSubnet,
  type Subnet,
} from '../address.ts'
import { OPTION_MTU } from '../endpoint/link-options.ts'
import { checkLinkName } from '../network/create.ts'
import type { AddressPool } from '../network/defaults.ts'
import { chooseIpv6Subnet, chooseSubnet } from '../network/ipam.ts'
import {
  AUX_GATEWAY,
  AUX_GATEWAY_IPV6,
  type Network,
  OPTION_BRIDGE_NAME,
  OPTION_DEFAULT_BRIDGE,
  OPTION_HOST_BINDING,
  OPTION_ICC,
  OPTION_MASQUERADE,
} from '../network/network.ts'
import { automatic, planPool } from '../network/pool.ts'
import { hostSubnets, ipv4AddressOf, isBridge, linkAlias, linkMtu } from './link.ts'

/** What the daemon's options say of the default bridge; those that are absent are Docker's defaults. */
export interface WantedBridge {
  readonly name: string
  /** Address and prefix length. */
  readonly bip?: string | undefined
  readonly bip6?: string | undefined
  /** Part of the subnet that containers get addresses of; without `bip` the subnet. */
  readonly fixedCidr?: string | undefined
  readonly fixedCidrV6?: string | undefined
  readonly hasIpv6?: boolean
  /** Way out of the containers, instead of the bridge's own address. */
  readonly gateway?: string | undefined
  readonly gatewayV6?: string | undefined
  /** Host address of ports that are published without one. `ip` */
  readonly hostIp?: string | undefined
  readonly mtu?: number | undefined
  /** Neighbours may talk to each other. `icc` */
  readonly allowsInterContainer?: boolean
  /** `ip-masq` */
  readonly masquerades?: boolean
}

export interface DefaultBridge {
  readonly name: string
  readonly isForeign: boolean
  readonly pools: readonly PoolRow[]
  /** As Docker shows them; they say what holds. */
  readonly options: Readonly<Record<string, string>>
  /** Differs from what is stored. */
  readonly isChanged: boolean
  /** A link of ours that the new choice replaces. */
  readonly obsoleteLink: string | undefined
  readonly warnings: readonly string[]
}

interface DefaultBridgeOptions {
  readonly wanted: WantedBridge
  readonly stored: Network
  /** A running container is on it: nothing may change. */
  readonly isUsed: boolean
  /** Alias of our own links. */
  readonly owner: string
  readonly otherSubnets: readonly Subnet[]
  readonly addressPools: readonly AddressPool[]
}

const OWNER_PREFIX = 'ctr '

export function ownerAlias(instance: string): string {
  return `${OWNER_PREFIX}${instance}`
}

/**
 * Name and subnet of the network `bridge`. As dockerd: a link that exists and is nobody's is used with the address it has;
 * `bip` names address and subnet; else the subnet of last time, else the first free default pool. A link of another ctrd
 * is left to it: the next free number is taken (ctr0, ctr1, …).
 */
export function decideDefaultBridge(o: DefaultBridgeOptions): DefaultBridge {
  const { stored, wanted } = o
  checkLinkName(wanted.name)
  const wantedPool = wanted.bip === undefined ? undefined : parseBip(wanted.bip)
  const optionsOf = (name: string, isOurs: boolean): Record<string, string> =>
    bridgeOptions(wanted, name, isOurs ? (wanted.mtu ?? DEFAULT_MTU) : linkMtu(name))
  if (stored.bridge !== undefined && o.isUsed) {
    const isDifferent =
      (wantedPool !== undefined && !isSameAddress(wantedPool, stored.pools)) ||
      (wanted.hasIpv6 ?? false) !== stored.hasIpv6 ||
      (stored.bridge !== wanted.name && !isTakenByOther(wanted.name, o.owner))
    const options = optionsOf(stored.bridge, !stored.isForeign)
    return {
      name: stored.bridge,
      isForeign: stored.isForeign,
      pools: stored.pools,
      options,
      isChanged: !isSame(options, stored.options),
      obsoleteLink: undefined,
      warnings: isDifferent
        ? ['running containers use the default bridge: its options apply after they have ended']
        : [],
    }
  }
  const name = chooseName(o)
  const exists = interfaceIndex(name) !== undefined
  if (exists && !isBridge(name)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `--bridge ${name}: the link exists and is not a bridge`,
    )
  }
  const isOurs =
    !exists || linkAlias(name) === o.owner || (stored.bridge === name && !stored.isForeign)
  const present = isOurs ? undefined : ipv4AddressOf(name)
  const kept = stored.bridge === name ? stored.pools : []
  const pools = choosePools(o, wantedPool ?? (present && poolOf(present)), kept)
  const isMoved = stored.bridge !== name
  const isRenumbered = !isSamePools(pools, stored.pools)
  const options = optionsOf(name, isOurs)
  const isStale = stored.bridge !== undefined && !stored.isForeign && (isMoved || isRenumbered)
  return {
    name,
    isForeign: !isOurs,
    pools,
    options,
    isChanged:
      isMoved || isRenumbered || stored.isForeign === isOurs || !isSame(options, stored.options),
    obsoleteLink: isStale ? stored.bridge : undefined,
    warnings:
      name === wanted.name ? [] : [`link ${wanted.name} belongs to another ctrd; using ${name}`],
  }
}

const DEFAULT_MTU = 1500

function bridgeOptions(
  wanted: WantedBridge,
  name: string,
  mtu: number | undefined,
): Record<string, string> {
  return {
    [OPTION_DEFAULT_BRIDGE]: 'true',
    [OPTION_ICC]: String(wanted.allowsInterContainer ?? true),
    [OPTION_MASQUERADE]: String(wanted.masquerades ?? true),
    [OPTION_HOST_BINDING]: wanted.hostIp ?? '0.0.0.0',
    [OPTION_BRIDGE_NAME]: name,
    [OPTION_MTU]: String(mtu ?? DEFAULT_MTU),
  }
}

function choosePools(
  o: DefaultBridgeOptions,
  given: PoolRow | undefined,
  kept: readonly PoolRow[],
): PoolRow[] {
  const { wanted, addressPools } = o
  const { fixedCidr, gateway } = wanted
  const used = [...o.otherSubnets, ...hostSubnets()]
  const v4 =
    given ??
    (fixedCidr === undefined ? undefined : planPool({ subnet: fixedCidr })) ??
    kept.find(isV4) ??
    automatic(chooseSubnet(used, addressPools))
  const row = checkPool(v4, fixedCidr, gateway === undefined ? {} : { [AUX_GATEWAY]: gateway })
  if (wanted.hasIpv6 !== true) return [row]
  const { bip6, fixedCidrV6, gatewayV6 } = wanted
  const v6 =
    (bip6 === undefined ? undefined : parseBip6(bip6)) ??
    (fixedCidrV6 === undefined ? undefined : planPool({ subnet: fixedCidrV6 })) ??
    kept.find((pool) => !isV4(pool)) ??
    automatic(chooseIpv6Subnet(randomBytes(5), used, addressPools))
  const auxiliary = gatewayV6 === undefined ? {} : { [AUX_GATEWAY_IPV6]: gatewayV6 }
  return [row, checkPool(v6, bip6 === undefined ? undefined : fixedCidrV6, auxiliary)]
}

function isV4({ subnet }: PoolRow): boolean {
  return !subnet.includes(':')
}

/** The range and the gateway must be of the subnet. */
function checkPool(
  { subnet, gateway }: PoolRow,
  ipRange: string | undefined,
  auxAddresses: Readonly<Record<string, string>>,
): PoolRow {
  const isWhole = ipRange === undefined || formatRange(ipRange) === subnet
  return {
    ...planPool({ subnet, gateway, auxAddresses, ...(isWhole ? {} : { ipRange }) }),
    isExplicit: false,
  }
}

function formatRange(text: string): string | undefined {
  const range = parseSubnet(text)
  return range && formatSubnet(range)
}

function parseBip6(text: string): PoolRow {
  const parsed = parseInterfaceAddress(text)
  if (parsed?.family === 6) return poolOf(parsed)
  throw new EngineError(
    'INVALID_ARGUMENT',
    `--bip6 ${text}: an IPv6 address with prefix length is needed, e.g. fd00:1::1/64`,
  )
}

function chooseName(o: DefaultBridgeOptions): string {
  const { name } = o.wanted
  if (!isTakenByOther(name, o.owner)) return name
  // Stay where we went last time.
  const { bridge } = o.stored
  const stem = name.replace(/\d+$/, '')
  if (bridge?.startsWith(stem) && !isTakenByOther(bridge, o.owner)) return bridge
  for (let number = 1; number < 100; number++) {
    const candidate = `${stem}${number}`.slice(0, 15)
    const isFree = interfaceIndex(candidate) === undefined || linkAlias(candidate) === o.owner
    if (isFree) return candidate
  }
  throw new EngineError('UNAVAILABLE', `no free bridge name like ${name}`)
}

/** Whether a link of that name is there for a network to use as it is; throws if it is something else, or a ctrd's. */
export function isUsableBridge(name: string): boolean {
  if (interfaceIndex(name) === undefined) return false
  if (isBridge(name) && linkAlias(name)?.startsWith(OWNER_PREFIX) !== true) return true
  throw new EngineError('FORBIDDEN', `link ${name} exists and is not a bridge that is free to use`)
}

function isTakenByOther(name: string, owner: string): boolean {
  const alias = linkAlias(name)
  return alias?.startsWith(OWNER_PREFIX) === true && alias !== owner
}

/** `--bip 10.1.0.1/16`: the bridge's address; the containers' subnet is around it. */
function parseBip(bip: string): PoolRow {
  const parsed = parseInterfaceAddress(bip)
  const subnet = parseSubnet(bip)
  if (parsed === undefined || subnet === undefined || parsed.family !== 4) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `--bip ${bip}: an IPv4 address with prefix length is needed, e.g. 172.30.0.1/16`,
    )
  }
  const isHost = parsed.value !== subnet.address && parsed.value !== lastAddress(subnet)
  if (subnet.prefix > 30 || subnet.prefix < 1 || !isHost) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `--bip ${bip}: not an address for a host in a subnet with room for containers`,
    )
  }
  return poolOf(parsed)
}

function poolOf(address: Address & { prefix: number }): PoolRow {
  const { family, value, prefix } = address
  const bits = BigInt((family === 4 ? 32 : 128) - prefix)
  const subnet = formatSubnet({ family, prefix, address: (value >> bits) << bits })
  return {
    subnet,
    gateway: formatAddress(address),
    ipRange: undefined,
    auxAddresses: {},
    isExplicit: false,
  }
}

function isSamePools(a: readonly PoolRow[], b: readonly PoolRow[]): boolean {
  return a.length === b.length && a.every((pool) => isSamePool(pool, b))
}

function isSameAddress({ subnet, gateway }: PoolRow, pools: readonly PoolRow[]): boolean {
  return pools.some((other) => other.subnet === subnet && other.gateway === gateway)
}

function isSamePool(pool: PoolRow, pools: readonly PoolRow[]): boolean {
  return pools.some((other) => isSame(withoutOrigin(other), withoutOrigin(pool)))
}

function withoutOrigin({ subnet, gateway, ipRange, auxAddresses }: PoolRow): unknown[] {
  return [subnet, gateway, ipRange, auxAddresses]
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
