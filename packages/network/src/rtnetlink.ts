import { type Address, addressBytes } from './address.ts'

/**
 * rtnetlink(7) messages as bytes, ready for the shim's `netlink` operation, which sends one message and waits for the
 * ack. Nothing here asks the kernel: links made by us get the interface index that we request.
 */
export interface NetlinkMessage {
  readonly message: Buffer
  /** Where the shim puts the pid of the program's child (IFLA_NET_NS_PID); 0: nowhere. */
  readonly pidOffset: number
}

// linux/rtnetlink.h, linux/netlink.h, linux/if_link.h, linux/if_addr.h, linux/veth.h
export const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_NEWADDR = 20
const RTM_NEWROUTE = 24
const NLM_F_REQUEST = 0x1
const NLM_F_ACK = 0x4
const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
const NLA_F_NESTED = 0x8000
const NLMSG_HEADER_BYTES = 16
const IFINFO_BYTES = 16
const NLA_HEADER_BYTES = 4
export const PID_BYTES = 4
const MAC_PADDED_BYTES = 8
export const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
const IFLA_MASTER = 10
export const IFLA_TXQLEN = 13
export const IFLA_LINKINFO = 18
export const IFLA_NET_NS_PID = 19
const IFLA_IFALIAS = 20
const IFLA_AF_SPEC = 26
const IFLA_NUM_TX_QUEUES = 31
const IFLA_NUM_RX_QUEUES = 32
export const IFLA_INFO_KIND = 1
export const IFLA_INFO_DATA = 2
const IFLA_INFO_SLAVE_KIND = 4
const IFLA_INFO_SLAVE_DATA = 5
const IFLA_BRPORT_MODE = 4
const IFLA_INET6_ADDR_GEN_MODE = 8
const IN6_ADDR_GEN_MODE_NONE = 1
const VETH_INFO_PEER = 1
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_F_NODAD = 0x02
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PREFSRC = 7
const RT_TABLE_MAIN = 254
const RT_TABLE_LOCAL = 255
const RTPROT_BOOT = 3
const RT_SCOPE_UNIVERSE = 0
const RT_SCOPE_LINK = 253
const RTN_UNICAST = 1
export const IFF_UP = 1
const AF_INET = 2
const AF_INET6 = 10

/** Interface index of `lo` in every network namespace. */
export const LOOPBACK_INDEX = 1

/** Which link: by index, or by name when the index is not known. */
export type LinkRef = { readonly index: number } | { readonly name: string }

export function newBridge(o: { name: string; mac: Uint8Array; mtu?: number }): NetlinkMessage {
  return build(
    RTM_NEWLINK,
    NLM_F_CREATE | NLM_F_EXCL,
    ifinfo({}),
    text(IFLA_IFNAME, o.name),
    attribute(IFLA_ADDRESS, o.mac),
    ...(o.mtu === undefined ? [] : [u32(IFLA_MTU, o.mtu)]),
    nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, 'bridge')),
  )
}

export interface VethOptions {
  /** Host end, up, enslaved to the bridge `master`. */
  readonly host: { readonly name: string; readonly master: number; readonly index?: number }
  /** Container end, left down: addresses come first. The kernel obeys its index only if the host end has one as well. */
  readonly peer: { readonly name: string; readonly index?: number; readonly mac: Uint8Array }
  readonly mtu?: number
  readonly txQueueLength?: number
}

/** A message, and where in it is what differs between two pairs of one bridge. */
export interface VethMessage extends NetlinkMessage {
  /** Of the host end; as many bytes as the name has, and a zero. */
  readonly nameOffset: number
  /** Of the container end. */
  readonly macOffset: number
}

/** The message for a pair that differs in nothing else. The name is as long. */
export function vethLike(like: VethMessage, name: string, mac: Uint8Array): NetlinkMessage {
  const message = Buffer.from(like.message)
  message.write(name, like.nameOffset, 'latin1')
  message.set(mac, like.macOffset)
  return { message, pidOffset: like.pidOffset }
}

/** Makes both ends at once, the peer in the network namespace of the program's child. veth(4) */
export function newVeth(o: VethOptions): VethMessage {
  const common = [
    // Of both kinds the kernel uses one, but makes (and shows in sysfs) as many as it has processors, if none are named.
    u32(IFLA_NUM_TX_QUEUES, 1),
    u32(IFLA_NUM_RX_QUEUES, 1),
    ...(o.mtu === undefined ? [] : [u32(IFLA_MTU, o.mtu)]),
    ...(o.txQueueLength === undefined ? [] : [u32(IFLA_TXQLEN, o.txQueueLength)]),
  ]
  const head = [
    ifinfo({
      ...(o.host.index === undefined ? {} : { index: o.host.index }),
      flags: IFF_UP,
      change: IFF_UP,
    }),
    text(IFLA_IFNAME, o.host.name),
    u32(IFLA_MASTER, o.host.master),
    ...common,
  ]
  const peerHead = [
    ...(o.peer.index === undefined ? [ifinfo({})] : [ifinfo({ index: o.peer.index })]),
    text(IFLA_IFNAME, o.peer.name),
    attribute(IFLA_ADDRESS, o.peer.mac),
    ...common,
  ]
  // The pid is the last attribute, so its value is the last four bytes of the message.
  const peer = nested(VETH_INFO_PEER, ...peerHead, u32(IFLA_NET_NS_PID, 0))
  const info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, 'veth'), nested(IFLA_INFO_DATA, peer))
  const { message } = build(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ...head, info)
  const pidOffset = message.length - PID_BYTES
  const commonBytes = common.reduce((sum, part) => sum + part.length, 0)
  return {
    message,
    pidOffset,
    nameOffset: NLMSG_HEADER_BYTES + IFINFO_BYTES + NLA_HEADER_BYTES,
    macOffset: pidOffset - NLA_HEADER_BYTES - commonBytes - MAC_PADDED_BYTES,
  }
}

export function deleteLink(ref: LinkRef): NetlinkMessage {
  return build(RTM_DELLINK, 0, ...linkParts(ref, {}))
}

export function setLinkUp(ref: LinkRef): NetlinkMessage {
  return build(RTM_NEWLINK, 0, ...linkParts(ref, { flags: IFF_UP, change: IFF_UP }))
}

export function setLinkDown(ref: LinkRef): NetlinkMessage {
  return build(RTM_NEWLINK, 0, ...linkParts(ref, { change: IFF_UP }))
}

/** Of a link that is a port of a bridge: packets may leave by the port that they came from. */
export function setHairpin(ref: LinkRef): NetlinkMessage {
  const mode = attribute(IFLA_BRPORT_MODE, Buffer.from([1]))
  const info = [text(IFLA_INFO_SLAVE_KIND, 'bridge'), nested(IFLA_INFO_SLAVE_DATA, mode)]
  return build(RTM_NEWLINK, 0, ...linkParts(ref, {}), nested(IFLA_LINKINFO, ...info))
}

/** Readable in /sys/class/net/NAME/ifalias: whose link this is. */
export function setLinkAlias(ref: LinkRef, alias: string): NetlinkMessage {
  return build(RTM_NEWLINK, 0, ...linkParts(ref, {}), text(IFLA_IFALIAS, alias))
}

/** No link-local IPv6 address when the link goes up. */
export function disableIpv6LinkLocal(ref: LinkRef): NetlinkMessage {
  const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Buffer.from([IN6_ADDR_GEN_MODE_NONE]))
  return build(RTM_NEWLINK, 0, ...linkParts(ref, {}), nested(IFLA_AF_SPEC, nested(AF_INET6, mode)))
}

export function newAddress(index: number, address: Address, prefix: number): NetlinkMessage {
  const isV4 = address.family === 4
  const head = Buffer.alloc(8) // struct ifaddrmsg
  head.writeUInt8(isV4 ? AF_INET : AF_INET6, 0)
  head.writeUInt8(prefix, 1)
  head.writeUInt8(isV4 ? 0 : IFA_F_NODAD, 2)
  head.writeUInt32LE(index, 4)
  const bytes = addressBytes(address)
  const broadcast = {
    family: address.family,
    value: address.value | ((1n << BigInt(32 - prefix)) - 1n),
  }
  return build(
    RTM_NEWADDR,
    NLM_F_CREATE | NLM_F_REPLACE,
    head,
    attribute(IFA_LOCAL, bytes),
    attribute(IFA_ADDRESS, bytes),
    ...(isV4 && prefix < 31 ? [attribute(IFA_BROADCAST, addressBytes(broadcast))] : []),
  )
}

export interface RouteOptions {
  readonly family: 4 | 6
  /** Missing: the default route. */
  readonly destination?: { readonly address: Address; readonly prefix: number }
  readonly gateway?: Address
  readonly index?: number
  /** In the table that comes before all others, `local`. */
  readonly isLocalTable?: boolean
  /** Of packets whose sender has not chosen one. */
  readonly source?: Address
}

export function newRoute(o: RouteOptions): NetlinkMessage {
  return build(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, ...routeParts(o))
}

function routeParts(o: RouteOptions): Buffer[] {
  const head = Buffer.alloc(12) // struct rtmsg
  head.writeUInt8(o.family === 4 ? AF_INET : AF_INET6, 0)
  head.writeUInt8(o.destination?.prefix ?? 0, 1)
  head.writeUInt8(o.isLocalTable ? RT_TABLE_LOCAL : RT_TABLE_MAIN, 4)
  head.writeUInt8(RTPROT_BOOT, 5)
  head.writeUInt8(o.gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, 6)
  head.writeUInt8(RTN_UNICAST, 7)
  return [
    head,
    ...(o.destination === undefined
      ? []
      : [attribute(RTA_DST, addressBytes(o.destination.address))]),
    ...(o.gateway === undefined ? [] : [attribute(RTA_GATEWAY, addressBytes(o.gateway))]),
    ...(o.index === undefined ? [] : [u32(RTA_OIF, o.index)]),
    ...(o.source === undefined ? [] : [attribute(RTA_PREFSRC, addressBytes(o.source))]),
  ]
}

function linkParts(ref: LinkRef, o: { flags?: number; change?: number }): Buffer[] {
  if ('index' in ref) return [ifinfo({ index: ref.index, ...o })]
  return [ifinfo(o), text(IFLA_IFNAME, ref.name)]
}

/** struct ifinfomsg */
export function ifinfo(o: { index?: number; flags?: number; change?: number }): Buffer {
  const head = Buffer.alloc(16)
  head.writeInt32LE(o.index ?? 0, 4)
  head.writeUInt32LE(o.flags ?? 0, 8)
  head.writeUInt32LE(o.change ?? 0, 12)
  return head
}

export function build(type: number, flags: number, ...parts: Buffer[]): NetlinkMessage {
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(16) // struct nlmsghdr; the shim sets the sequence number
  header.writeUInt32LE(header.length + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | flags, 6)
  return { message: Buffer.concat([header, body]), pidOffset: 0 }
}

/** struct nlattr: length without padding, type, value, padding to 4. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const length = 4 + value.length
  const bytes = Buffer.alloc((length + 3) & ~3)
  bytes.writeUInt16LE(length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, 4)
  return bytes
}

export function nested(type: number, ...attributes: Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(attributes))
}

export function text(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`))
}

export function u32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return attribute(type, bytes)
}
