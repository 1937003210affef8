import {
  attribute,
  build,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_NET_NS_PID,
  IFLA_TXQLEN,
  ifinfo,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  nested,
  PID_BYTES,
  RTM_NEWLINK,
  text,
  u32,
} from '../rtnetlink.ts'
import type { LanMode } from './options.ts'

// linux/if_link.h
const IFLA_LINK = 5
const IFLA_VLAN_ID = 1
const IFLA_MACVLAN_MODE = 1
const IFLA_IPVLAN_MODE = 1
const IFLA_IPVLAN_FLAGS = 2
const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const
const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const
const IPVLAN_FLAGS = { bridge: 0, private: 1, vepa: 2 } as const

/** A link that is connected with nothing. `ifb` is one, too, while no rule of tc leads there: for kernels without `dummy`. */
export function newLonelyLink(name: string, kind: 'dummy' | 'ifb'): NetlinkMessage {
  const info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind))
  return build(RTM_NEWLINK, NEW, ifinfo({}), text(IFLA_IFNAME, name), info)
}

/** 802.1Q: what has this tag on the parent. */
export function newVlan(name: string, o: { parent: number; id: number }): NetlinkMessage {
  const data = nested(IFLA_INFO_DATA, u16(IFLA_VLAN_ID, o.id))
  const info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, 'vlan'), data)
  return build(
    RTM_NEWLINK,
    NEW,
    ifinfo({}),
    text(IFLA_IFNAME, name),
    u32(IFLA_LINK, o.parent),
    info,
  )
}

export interface LanLinkOptions {
  readonly mode: LanMode
  /** Index of the parent in the namespace of who asks. */
  readonly parent: number
  readonly name: string
  readonly index: number
  /** Undefined: the parent's (ipvlan). */
  readonly mac: Uint8Array | undefined
  readonly mtu?: number | undefined
  readonly txQueueLength?: number | undefined
}

/** Makes the link in the network namespace of the program's child: on the host it never is. */
export function newLanLink(o: LanLinkOptions): NetlinkMessage {
  const { kind, data } = describe(o.mode)
  const { message } = build(
    RTM_NEWLINK,
    NEW,
    ifinfo({ index: o.index }),
    text(IFLA_IFNAME, o.name),
    u32(IFLA_LINK, o.parent),
    ...(o.mac === undefined ? [] : [attribute(IFLA_ADDRESS, o.mac)]),
    ...(o.mtu === undefined ? [] : [u32(IFLA_MTU, o.mtu)]),
    ...(o.txQueueLength === undefined ? [] : [u32(IFLA_TXQLEN, o.txQueueLength)]),
    nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, ...data)),
    u32(IFLA_NET_NS_PID, 0),
  )
  return { message, pidOffset: message.length - PID_BYTES }
}

const NEW = NLM_F_CREATE | NLM_F_EXCL

function describe(mode: LanMode): { kind: string; data: Buffer[] } {
  if (mode.driver === 'macvlan') {
    return { kind: 'macvlan', data: [u32(IFLA_MACVLAN_MODE, MACVLAN_MODES[mode.mode])] }
  }
  const flags = u16(IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[mode.flag])
  return { kind: 'ipvlan', data: [u16(IFLA_IPVLAN_MODE, IPVLAN_MODES[mode.mode]), flags] }
}

function u16(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return attribute(type, bytes)
}
