import type { Detour } from '../dns/resolver.ts'
import type { PublishedPort } from '../endpoint/ports.ts'
import type { GatewayMode } from '../network/gateway-mode.ts'

/** What the firewall must know of one bridge. */
export interface BridgeRules {
  readonly link: string
  readonly ipv4Subnet: string | undefined
  readonly ipv6Subnet: string | undefined
  /** No way in or out but between its own containers. */
  readonly isInternal: boolean
  /** Containers of this bridge may talk to each other. `com.docker.network.bridge.enable_icc` */
  readonly allowsInterContainer: boolean
  /** Outgoing traffic takes the host's address. `com.docker.network.bridge.enable_ip_masquerade` */
  readonly masquerades: boolean
  readonly ipv4Mode: GatewayMode
  readonly ipv6Mode: GatewayMode
  /** Links from which published ports are reached at the containers' own addresses. */
  readonly trusted: readonly string[]
}

/** A published port and the container's address that it leads to. */
export interface Publication extends PublishedPort {
  readonly targetAddress: string
  /** The container's own port is reached by packets that nobody has translated. */
  readonly isDirect: boolean
}

/** Everything that a daemon's nftables table says; rendered from the database. */
export interface FirewallState {
  readonly table: string
  readonly bridges: readonly BridgeRules[]
  readonly publications: readonly Publication[]
  /** Where queries for names are answered when another program has port 53. */
  readonly detours: readonly Detour[]
}

/**
 * The whole table as one batch that replaces it atomically. It is ours alone and only ever decides about packets that come from or go to one of our bridges.
 *
 * - Published ports: one map for a host address, one for "any local address". Packets from our own bridges are not translated: they reach the shim's listener on the host, so a container may use a port published by itself or by a container on another network. Loopback is the listener's as well (translating 127.0.0.0/8 before routing would let neighbours reach ports bound to 127.0.0.1).
 * - Forwarding: answers, then translated packets, then neighbours on the same bridge, then the way out; everything else to a bridge is dropped, so bridges are isolated from each other and unpublished ports from outside.
 * - Gateway modes: the published ports of `routed` bridges are in `direct`, by the containers' addresses, for all others (as in dockerd, other bridges too), and those of a bridge that trusts a link, for that link; `nat-unprotected` ones are `open` from outside.
 */
export function renderTable(state: FirewallState): string {
  const { table, bridges, publications } = state
  const links = bridges.map((bridge) => quote(bridge.link))
  const internal = bridges.filter((bridge) => bridge.isInternal).map((b) => quote(b.link))
  const neighbours = bridges.filter((b) => b.allowsInterContainer).map(pairOf)
  const sources = bridges.filter((bridge) => bridge.masquerades && !bridge.isInternal)
  const inMode = (mode: GatewayMode, family: 4 | 6): string[] =>
    bridges
      .filter((b) => !b.isInternal && (family === 4 ? b.ipv4Mode : b.ipv6Mode) === mode)
      .map((b) => quote(b.link))
  const trusted = bridges.flatMap(({ trusted: names, link }) =>
    names.map((name) => `${quote(name)} . ${quote(link)}`),
  )
  const [v4, v6] = [4, 6].map((family) =>
    publications.filter(
      (publication) => (family === 6) === publication.targetAddress.includes(':'),
    ),
  )
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  set bridges { type ifname; ${elements(links)} }
  set internal { type ifname; ${elements(internal)} }
  set neighbours { type ifname . ifname; ${elements(neighbours)} }
  set routed { type ifname; ${elements(inMode('routed', 4))} }
  set routed6 { type ifname; ${elements(inMode('routed', 6))} }
  set open { type ifname; ${elements(inMode('nat-unprotected', 4))} }
  set open6 { type ifname; ${elements(inMode('nat-unprotected', 6))} }
  set trusted { type ifname . ifname; ${elements([...new Set(trusted)])} }
  set direct { type ipv4_addr . inet_proto . inet_service; ${elements(directElements(v4))} }
  set direct6 { type ipv6_addr . inet_proto . inet_service; ${elements(directElements(v6))} }
  map published { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; ${elements(mapElements(v4, false))} }
  map published_any { type inet_proto . inet_service : ipv4_addr . inet_service; ${elements(mapElements(v4, true))} }
  map published6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; ${elements(mapElements(v6, false))} }
  map published6_any { type inet_proto . inet_service : ipv6_addr . inet_service; ${elements(mapElements(v6, true))} }

  chain translate {
    fib daddr type != local return
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto != { tcp, udp, sctp } return
    dnat ip to ip daddr . meta l4proto . th dport map @published
    dnat ip to meta l4proto . th dport map @published_any
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6
    dnat ip6 to meta l4proto . th dport map @published6_any
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname != @bridges jump translate
${state.detours.map(detour).join('')}  }
  chain output {
    type nat hook output priority -100; policy accept;
    jump translate
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${sources.flatMap(masquerade).join('\n')}
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname @bridges jump from_bridge
    oifname @bridges jump to_bridge
  }
  chain from_bridge {
    ct state established,related accept
    iifname . oifname @neighbours accept
    iifname @internal drop
    oifname != @bridges accept
    jump to_routed
    drop
  }
  chain to_routed {
    oifname @routed ip daddr . meta l4proto . th dport @direct accept
    oifname @routed6 ip6 daddr . meta l4proto . th dport @direct6 accept
    oifname @routed ip protocol icmp accept
    oifname @routed6 meta l4proto ipv6-icmp accept
  }
  chain to_bridge {
    oifname @internal drop
    ct state established,related accept
    ct status dnat accept
    jump to_routed
    iifname . oifname @trusted ip daddr . meta l4proto . th dport @direct accept
    iifname . oifname @trusted ip6 daddr . meta l4proto . th dport @direct6 accept
    oifname @open meta nfproto ipv4 accept
    oifname @open6 meta nfproto ipv6 accept
    drop
  }
}
`
}

/** Elements for one container's ports, to be added to the table that is there. */
export function renderPublish(table: string, publications: readonly Publication[]): string {
  return elementCommands('add', table, publications)
}

export function renderUnpublish(table: string, publications: readonly Publication[]): string {
  return elementCommands('delete', table, publications)
}

function elementCommands(
  verb: 'add' | 'delete',
  table: string,
  publications: readonly Publication[],
): string {
  const direct = [4, 6].flatMap((family) => {
    const isOf = ({ targetAddress }: Publication): boolean =>
      (family === 6) === targetAddress.includes(':')
    const set = family === 6 ? 'direct6' : 'direct'
    const wanted = directElements(publications.filter(isOf))
    return wanted.map((element) => `${verb} element inet ${table} ${set} { ${element} }\n`)
  })
  const maps = translated(publications).map((publication) => {
    const suffix = publication.targetAddress.includes(':') ? '6' : ''
    const map = `published${suffix}${isAny(publication) ? '_any' : ''}`
    return `${verb} element inet ${table} ${map} { ${mapElement(publication)} }\n`
  })
  return [...maps, ...direct].join('')
}

/** One port may be published at two addresses of the host. */
function directElements(publications: readonly Publication[] = []): string[] {
  const wanted = publications.filter(({ isDirect }) => isDirect)
  const element = ({ targetAddress, protocol, containerPort }: Publication): string =>
    `${targetAddress} . ${protocol} . ${containerPort}`
  return [...new Set(wanted.map(element))]
}

function mapElements(publications: readonly Publication[] = [], any: boolean): string[] {
  return translated(publications)
    .filter((publication) => isAny(publication) === any)
    .map(mapElement)
}

function mapElement(publication: Publication): string {
  const { hostIp, protocol, hostPort, targetAddress, containerPort } = publication
  const key = isAny(publication)
    ? `${protocol} . ${hostPort}`
    : `${hostIp} . ${protocol} . ${hostPort}`
  return `${key} : ${targetAddress} . ${containerPort}`
}

/** The rest is for the shim's listener: loopback, and IPv6 on the host for a container that has IPv4 only. */
export function translated(publications: readonly Publication[]): Publication[] {
  return publications.filter(
    ({ hostIp, hostPort, targetAddress }) =>
      hostPort !== 0 &&
      hostIp.includes(':') === targetAddress.includes(':') &&
      !hostIp.startsWith('127.') &&
      hostIp !== '::1',
  )
}

function isAny(publication: Publication): boolean {
  return publication.hostIp === '0.0.0.0' || publication.hostIp === '::'
}

function detour({ link, address, port }: Detour): string {
  const family = address.includes(':') ? 'ip6' : 'ip'
  return `    iifname ${quote(link)} ${family} daddr ${address} meta l4proto { tcp, udp } th dport 53 redirect to :${port}\n`
}

function masquerade(bridge: BridgeRules): string[] {
  const out = `oifname != ${quote(bridge.link)} masquerade`
  const { ipv4Subnet, ipv4Mode, ipv6Subnet, ipv6Mode } = bridge
  return [
    ...(ipv4Subnet === undefined || ipv4Mode === 'routed'
      ? []
      : [`    ip saddr ${ipv4Subnet} ${out}`]),
    ...(ipv6Subnet === undefined || ipv6Mode === 'routed'
      ? []
      : [`    ip6 saddr ${ipv6Subnet} ${out}`]),
  ]
}

function pairOf(bridge: BridgeRules): string {
  return `${quote(bridge.link)} . ${quote(bridge.link)}`
}

/** An empty `elements = { }` is a syntax error. */
function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} };`
}

function quote(link: string): string {
  return `"${link}"`
}
