import { randomBytes } from 'node:crypto'
import { EngineError } from '@ctr/errdefs'
import type { EndpointNames, EndpointRow, EndpointTable } from '@ctr/store'
import { type Address, formatMac, macOf, parseAddress, parseMac } from '../address.ts'
import { isLan } from '../lan/options.ts'
import { areAlike, portModes } from '../network/gateway-mode.ts'
import {
  type AddressBook,
  allocateAddress,
  type LowestFree,
  requestAddress,
} from '../network/ipam.ts'
import { hasLinks, type Network, OPTION_HOST_BINDING, poolsOf } from '../network/network.ts'
import type { NetworksOptions } from '../options.ts'
import { bestGateway, type GatewayCandidate, leadsOut } from './gateway.ts'
import { allocatePorts, type PortBinding, type PortFacts } from './ports.ts'

export interface ConnectOptions {
  readonly containerId: string
  readonly containerName: string
  /** Id, name or unique id prefix. */
  readonly network: string
  readonly aliases: readonly string[]
  /** Resolves as a name on the network, like the aliases. */
  readonly hostname?: string | undefined
  /** Resolvers of the container's own choice. */
  readonly nameservers?: readonly string[] | undefined
  /** `container:alias`: names for this container only. */
  readonly links?: readonly string[] | undefined
  readonly requestedIp?: string | undefined
  readonly requestedIpv6?: string | undefined
  /** Taken if they are free: what a container had before. */
  readonly preferredIp?: string | undefined
  readonly preferredIpv6?: string | undefined
  readonly macAddress?: string | undefined
  /** Over those of the network; see link-options.ts. */
  readonly driverOptions?: Readonly<Record<string, string>> | null | undefined
  /** Of the host's end of the link. */
  readonly linkName?: string | undefined
  /** Of two networks that lead out, the one with more has the default route; 0 by default. */
  readonly gatewayPriority?: number | undefined
  /** Published if this network has the default route; what another one has published so far moves here then. */
  readonly ports: readonly PortBinding[]
  /** n of the container's `eth<n>`. */
  readonly index: number
  /** The container starts with no other network, and the caller records what it gets of one without links: `StartingEndpoint`. */
  readonly isOnly?: boolean
}

interface AllocateDeps {
  readonly endpoints: EndpointTable
  readonly ports: PortFacts
  readonly lowestFree: LowestFree
  readonly networkOf: (id: string) => Network
  readonly options: Pick<NetworksOptions, 'newId'>
}

/** Decides an endpoint and writes it down. Inside a transaction: what was free is ours when it commits. */
export function allocateEndpoint(
  deps: AllocateDeps,
  network: Network,
  o: ConnectOptions & { readonly isChanging: boolean },
): EndpointRow {
  const others = assertCanConnect(deps, network, o)
  const id = deps.options.newId()
  const gateway = others.find((other) => other.isGateway)
  const gatewayPriority = o.gatewayPriority ?? 0
  const isGateway = isBetter(deps, { network, priority: gatewayPriority }, gateway)
  if (isGateway && gateway !== undefined) deps.endpoints.setGateway(gateway.id, false)
  const publisher = others.find(({ ports }) => ports.length > 0)
  const isMoved =
    isGateway && publisher !== undefined && areAlike(network, deps.networkOf(publisher.networkId))
  if (isGateway && publisher !== undefined && !isMoved) deps.endpoints.setPorts(publisher.id, [])
  const bindings = isGateway && !isMoved ? o.ports : []
  const row: EndpointRow = {
    id,
    networkId: network.id,
    containerId: o.containerId,
    containerName: o.containerName,
    interface: o.index,
    aliases: o.aliases,
    gatewayPriority,
    isChanging: o.isChanging,
    ...(hasLinks(network)
      ? linkParts(deps, network, { ...o, ports: bindings }, { id, isGateway })
      : NO_LINK),
  }
  deps.endpoints.insert(row, namesOf(o))
  if (!isMoved || publisher === undefined) return row
  deps.endpoints.movePorts(publisher.id, id)
  return { ...row, ports: publisher.ports }
}

/**
 * An endpoint that holds nothing on the host (networks host and none), of a container without other networks. `record` writes it
 * down, inside a transaction: the caller's own, which says that the container runs.
 */
export function bareEndpoint(
  deps: Pick<AllocateDeps, 'endpoints' | 'options'>,
  network: Network,
  o: ConnectOptions,
): { row: EndpointRow; record: () => void } {
  assertCanConnect(deps, network, o)
  const row: EndpointRow = {
    id: deps.options.newId(),
    networkId: network.id,
    containerId: o.containerId,
    containerName: o.containerName,
    interface: o.index,
    aliases: o.aliases,
    gatewayPriority: o.gatewayPriority ?? 0,
    isChanging: false,
    ...NO_LINK,
  }
  return { row, record: () => deps.endpoints.insert(row, namesOf(o)) }
}

const NO_LINK = {
  link: undefined,
  macAddress: '',
  isGateway: false,
  ipv4: undefined,
  ipv6: undefined,
  ports: [],
} as const

/** Gives the container's other endpoints. */
function assertCanConnect(
  { endpoints }: Pick<AllocateDeps, 'endpoints'>,
  network: Network,
  { containerId, containerName }: ConnectOptions,
): readonly EndpointRow[] {
  if (network.configuration !== undefined) {
    throw new EngineError('FORBIDDEN', 'cannot create endpoint on configuration-only network')
  }
  const others = endpoints.ofContainer(containerId)
  if (others.some((row) => row.networkId === network.id)) {
    throw new EngineError(
      'FORBIDDEN',
      `endpoint with name ${containerName} already exists in network ${network.name}`,
    )
  }
  return others
}

/** What the resolver must know of it. */
function namesOf({ aliases, hostname = '', nameservers, links }: ConnectOptions): EndpointNames {
  return {
    names: [...aliases, hostname].filter((name) => name !== '').map((name) => name.toLowerCase()),
    nameservers: nameservers ?? [],
    links: Object.fromEntries((links ?? []).map(parseLink)),
  }
}

function isBetter(
  { networkOf }: AllocateDeps,
  candidate: GatewayCandidate,
  gateway: EndpointRow | undefined,
): boolean {
  if (gateway === undefined) return leadsOut(candidate.network)
  const rival = { network: networkOf(gateway.networkId), priority: gateway.gatewayPriority }
  return bestGateway([candidate, rival]) === candidate
}

/** `container` alone is its own alias. Docker allows a slash in front. */
function parseLink(link: string): [alias: string, container: string] {
  const [container = '', alias = container] = link.replace(/^\//, '').split(':')
  return [alias.replace(/^.*\//, '').toLowerCase(), container.toLowerCase()]
}

type LinkParts = Pick<EndpointRow, 'link' | 'macAddress' | 'isGateway' | 'ipv4' | 'ipv6' | 'ports'>

function linkParts(
  deps: AllocateDeps,
  network: Network,
  o: ConnectOptions,
  endpoint: { id: string; isGateway: boolean },
): LinkParts {
  const ipv4 = chooseAddress(deps, network, 4, o.requestedIp, o.preferredIp)
  const ipv6 = chooseAddress(deps, network, 6, o.requestedIpv6, o.preferredIpv6)
  const name = { name: o.containerName, id: endpoint.id }
  return {
    // Docker's pattern; 44 random bits and a UNIQUE column. IFNAMSIZ allows 15 characters.
    link: isLan(network)
      ? lanLinkName(endpoint.id)
      : (o.linkName ?? `veth${endpoint.id.slice(0, 11)}`),
    macAddress: network.driver === 'ipvlan' ? noMac(o.macAddress) : chooseMac(o.macAddress, ipv4),
    isGateway: endpoint.isGateway,
    ipv4,
    ipv6,
    ports: allocatePorts(withHostIp(o.ports, network), deps.ports, name, portModes(network)),
  }
}

/** No link of the host has it: the container's is made where it is. */
function lanLinkName(id: string): string {
  return `lan ${id.slice(0, 11)}`
}

/** It is the parent's. */
function noMac(requested = ''): string {
  if (requested === '') return ''
  throw new EngineError(
    'INVALID_ARGUMENT',
    'ipvlan interfaces do not support custom mac address assignment',
  )
}

/** Ports that are published without an address get the network's own. */
export function withHostIp(
  ports: readonly PortBinding[],
  network: Network,
): readonly PortBinding[] {
  const hostIp = network.options[OPTION_HOST_BINDING] ?? ''
  if (hostIp === '' || hostIp === '0.0.0.0') return ports
  return ports.map((port) => (port.hostIp === '' ? { ...port, hostIp } : port))
}

function chooseAddress(
  { endpoints, lowestFree }: AllocateDeps,
  network: Network,
  family: 4 | 6,
  requested: string | undefined,
  preferred: string | undefined,
): bigint | undefined {
  const pools = poolsOf(network).filter((pool) => pool.subnet.family === family)
  const book: AddressBook = {
    lowestFree: lowestFree.get(network.id, family),
    from: (of, first) => endpoints.addressesFrom(network.id, of, first),
    isTaken: (of, address) => endpoints.isAddressTaken(network.id, of, address),
  }
  if (requested === undefined || requested === '') {
    const pool = pools[0]
    if (pool === undefined) return undefined
    const again = preferredAddress(pools, book, preferred, family)
    if (again !== undefined) return again
    const address = allocateAddress(pool, book, network)
    lowestFree.taken(network.id, family, address)
    return address
  }
  if (network.name === 'bridge') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'user specified IP address is supported on user defined networks only',
    )
  }
  return requestAddress(pools, parseRequested(requested, family), book)
}

function preferredAddress(
  pools: Parameters<typeof requestAddress>[0],
  book: AddressBook,
  preferred: string | undefined,
  family: 4 | 6,
): bigint | undefined {
  if (preferred === undefined || preferred === '') return undefined
  // Which the user cannot ask for on every network, but the container had it.
  const any = pools.map((pool) => ({ ...pool, isExplicit: true }))
  try {
    return requestAddress(any, parseRequested(preferred, family), book)
  } catch (error) {
    if (error instanceof EngineError) return undefined // taken, or of another subnet now
    throw error
  }
}

function chooseMac(requested: string | undefined, ipv4: bigint | undefined): string {
  if (requested !== undefined && requested !== '') {
    const mac = parseMac(requested)
    if (mac !== undefined) return formatMac(mac)
    throw new EngineError('INVALID_ARGUMENT', `invalid MAC address: ${requested}`)
  }
  if (ipv4 !== undefined) return macOf(ipv4)
  return formatMac(Buffer.concat([Buffer.from([0x02, 0x42]), randomBytes(4)]))
}

function parseRequested(text: string, family: 4 | 6): Address {
  const address = parseAddress(text)
  if (address?.family === family) return address
  throw new EngineError('INVALID_ARGUMENT', `invalid IPv${family} address: ${text}`)
}
