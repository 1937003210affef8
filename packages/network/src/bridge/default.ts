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
import { automatic, checkLinkName } from '../network/create.ts'
import { chooseSubnet } from '../network/ipam.ts'
import {
  type Network,
  OPTION_BRIDGE_NAME,
  OPTION_DEFAULT_BRIDGE,
  OPTION_HOST_BINDING,
  OPTION_ICC,
  OPTION_MASQUERADE,
} from '../network/network.ts'
import { hostSubnets, ipv4AddressOf, isBridge, linkAlias, linkMtu } from './link.ts'

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
  readonly wanted: { readonly name: string; readonly bip: string | undefined }
  readonly stored: Network
  /** A running container is on it: nothing may change. */
  readonly isUsed: boolean
  /** Alias of our own links. */
  readonly owner: string
  readonly otherSubnets: readonly Subnet[]
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
  if (stored.bridge !== undefined && o.isUsed) {
    const isDifferent =
      (wantedPool !== undefined && !isSamePool(wantedPool, stored.pools)) ||
      (stored.bridge !== wanted.name && !isTakenByOther(wanted.name, o.owner))
    return {
      name: stored.bridge,
      isForeign: stored.isForeign,
      pools: stored.pools,
      options: stored.options,
      isChanged: false,
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
  const kept = stored.pools.length > 0 && stored.bridge === name ? stored.pools : undefined
  const pools = [
    wantedPool ??
      (present && poolOf(present)) ??
      kept?.[0] ??
      automatic(chooseSubnet([...o.otherSubnets, ...hostSubnets()])),
  ]
  const isMoved = stored.bridge !== name
  const isRenumbered = !isSamePools(pools, stored.pools)
  const isStale = stored.bridge !== undefined && !stored.isForeign && (isMoved || isRenumbered)
  return {
    name,
    isForeign: !isOurs,
    pools,
    options: defaultOptions(name),
    isChanged: isMoved || isRenumbered || stored.isForeign === isOurs,
    obsoleteLink: isStale ? stored.bridge : undefined,
    warnings:
      name === wanted.name ? [] : [`link ${wanted.name} belongs to another ctrd; using ${name}`],
  }
}

function defaultOptions(name: string): Record<string, string> {
  return {
    [OPTION_DEFAULT_BRIDGE]: 'true',
    [OPTION_ICC]: 'true',
    [OPTION_MASQUERADE]: 'true',
    [OPTION_HOST_BINDING]: '0.0.0.0',
    [OPTION_BRIDGE_NAME]: name,
    [OPTION_MTU]: String(linkMtu(name) ?? 1500),
  }
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

function isSamePool(pool: PoolRow, pools: readonly PoolRow[]): boolean {
  return pools.some((other) => other.subnet === pool.subnet && other.gateway === pool.gateway)
}
