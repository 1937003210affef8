import type { Op } from '@ctr/shim'
import type { EndpointRow } from '@ctr/store'
import { type Address, parseMac } from '../address.ts'
import type { Publication } from '../firewall/render.ts'
import { isLan, isRoutedByLink, parseLanMode } from '../lan/options.ts'
import { redirectDns } from '../netfilter.ts'
import type { Network } from '../network/network.ts'
import { deleteLink, newRoute, setLinkDown, setLinkUp } from '../rtnetlink.ts'
import { type Endpoint, type EndpointAddress, toEndpoint } from './endpoint.ts'
import { type LinkOptions, parseLinkOptions } from './link-options.ts'
import {
  childOps,
  ENODEV,
  forwardOps,
  hostOps,
  linkRoutes,
  loopbackOps,
  netlink,
  storedAddress,
} from './ops.ts'
import type { PublishedPort } from './ports.ts'

/** An endpoint with the operations that make it so, for `network` of the shim's start plan. */
export interface EndpointPlan extends Endpoint {
  /** On the host, after `clone`. */
  readonly hostOps: Op[]
  /** In the new network namespace. Those of the container's first endpoint bring `lo` up, on the network `none` too. */
  readonly childOps: Op[]
  readonly forwards: Op[]
  /** Host operations that connect the container, or cut it off from the network; without addresses it has none. */
  readonly plugOps: (isPlugged: boolean) => Op[]
}

/** A running container, for changes to its network namespace. */
export interface Target {
  readonly pid: number
  readonly startTime: bigint
  /**
   * Lets the container's shim listen elsewhere; doing it again changes nothing, nor does it if the shim has gone. Resolves with the
   * first port that it cannot have.
   */
  setForwards(changes: ForwardChanges): Promise<RefusedPort | undefined>
  /** Lets the shim hold sockets at 127.0.0.11:`port` in the container; doing it again changes nothing. */
  openResolver(port: number): Promise<void>
}

export interface ForwardChanges {
  readonly opened: readonly Publication[]
  readonly closed: readonly PublishedPort[]
}

export interface RefusedPort {
  readonly port: PublishedPort
  /** Name of the errno. */
  readonly errno: string
}

/** Pure. `aboveIndex`: of the bridge or the parent, undefined on the networks `host` and `none`; `resolver`: the endpoint's gateway, if the container asks there; `linkIndex` for a container that runs. */
export function planEndpoint(
  row: EndpointRow,
  network: Network,
  aboveIndex: number | undefined,
  o: {
    readonly resolver?: ResolverAt | undefined
    readonly linkIndex?: number | undefined
    /** Absent: those of the network. */
    readonly options?: LinkOptions
  } = {},
): EndpointPlan {
  const { resolver, linkIndex, options = parseLinkOptions(network.options) } = o
  const endpoint = toEndpoint(row, network)
  const loopback = row.interface === 0 && network.driver !== 'host' ? loopbackOps() : []
  const mac = parseMac(row.macAddress)
  const lan = isLan(network) ? parseLanMode(network) : undefined
  const hasAll = mac !== undefined || lan?.driver === 'ipvlan'
  if (row.link === undefined || aboveIndex === undefined || !hasAll) {
    return { ...endpoint, hostOps: [], childOps: loopback, forwards: [], plugOps: () => [] }
  }
  const addresses = [endpoint.ipv4, endpoint.ipv6].filter((entry) => entry !== undefined)
  const { link: hostEnd } = row
  const link = {
    link: hostEnd,
    linkIndex,
    aboveIndex,
    lan,
    isRoutedByLink: row.isGateway && isRoutedByLink(network),
    interfaceName: options.interfaceName ?? `${options.interfacePrefix}${row.interface}`,
    interfaceIndex: interfaceIndexOf(row),
    mac,
    options,
    addresses: addresses.map(({ address, prefix }) => ({
      address: storedAddress(address),
      prefix,
    })),
    gateways: row.isGateway ? gatewaysOf(addresses) : [],
  }
  return {
    ...endpoint,
    hostOps: [...hostOps(link), ...heldSockets(resolver, linkIndex)],
    childOps: [
      ...loopback,
      ...childOps(link),
      ...(resolver === undefined ? [] : resolverOps(endpoint, resolver)),
    ],
    forwards: forwardOps(endpoint.publications),
    plugOps: (isPlugged) => (lan === undefined ? plugOps(hostEnd, isPlugged) : []),
  }
}

/** Host operations that connect a link's container, or cut it off. */
export function plugOps(link: string, isPlugged: boolean): Op[] {
  const message = isPlugged ? setLinkUp({ name: link }) : setLinkDown({ name: link })
  return [netlink('host', message, ENODEV)]
}

/** The default routes of a container whose way out is now this endpoint. */
export function gatewayOps(endpoint: Endpoint, network: Network): Op[] {
  const index = interfaceIndexOf(endpoint)
  const addresses = [endpoint.ipv4, endpoint.ipv6].filter((entry) => entry !== undefined)
  if (isRoutedByLink(network)) {
    const stored = addresses.map(({ address }) => ({ address: storedAddress(address) }))
    return linkRoutes(stored, index)
  }
  return gatewaysOf(addresses).map((gateway) =>
    netlink('child', newRoute({ family: gateway.family, gateway, index })),
  )
}

function gatewaysOf(addresses: readonly EndpointAddress[]): Address[] {
  return addresses.flatMap(({ gateway }) => (gateway === '' ? [] : [storedAddress(gateway)]))
}

/**
 * In the container's network namespace: RESOLVER_ADDRESS leads to the resolver at `gateway`, as in Docker. A route of its own makes
 * the packets leave by the endpoint and with its address, by which the resolver knows who asks; the rest of 127.0.0.0/8 stays inside.
 */
export function resolverOps(endpoint: Endpoint, at: ResolverAt): Op[] {
  const { isMoved } = at
  const address = storedAddress(RESOLVER_ADDRESS)
  if ('port' in at) {
    return [netlink('child', redirectDns(address, address, { replaces: isMoved, port: at.port }))]
  }
  const { gateway } = at
  const source = endpoint.ipv4?.address
  if (source === undefined) return []
  const server = storedAddress(gateway)
  return [
    netlink(
      'child',
      newRoute({
        family: 4,
        isLocalTable: true,
        destination: { address, prefix: 32 },
        gateway: server,
        index: interfaceIndexOf(endpoint),
        source: storedAddress(source),
      }),
    ),
    netlink('child', redirectDns(address, server, { replaces: isMoved })),
  ]
}

export type ResolverAt = ({ readonly gateway: string } | { readonly port: number }) & {
  /** The container runs, and may have had its resolver elsewhere. */
  readonly isMoved: boolean
}

/** Of a container that starts; one that runs is asked for them: `Target`. */
function heldSockets(at: ResolverAt | undefined, linkIndex: number | undefined): Op[] {
  if (at === undefined || !('port' in at) || linkIndex !== undefined) return []
  return [{ op: 'resolver', port: at.port }]
}

/** Where programs in containers look for it: Docker's. */
export const RESOLVER_ADDRESS = '127.0.0.11'

/** A child of the program in the container's network namespace; `join` checks that the pid is still the container's. */
export function enterNetwork(target: Pick<Target, 'pid' | 'startTime'>): Op[] {
  return [
    { op: 'join', pid: target.pid, start_time: target.startTime },
    { op: 'clone', flags: 0n, cgroup: '' },
    { op: 'enter', flags: CLONE_NEWNET },
  ]
}

const CLONE_NEWNET = 0x40000000n

/** In a container's network namespace: the link of a network whose links are not on the host goes. */
export function leaveOps(row: EndpointRow, network: Network): Op[] {
  if (!isLan(network)) return []
  return [netlink('child', deleteLink({ index: interfaceIndexOf(row) }), ENODEV)]
}

/** In a fresh namespace only `lo` (1) exists, so the first free indices are ours to name. */
function interfaceIndexOf(endpoint: { readonly interface: number }): number {
  return endpoint.interface + 2
}
