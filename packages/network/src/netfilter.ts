import { type Address, addressBytes } from './address.ts'
import { attribute, type NetlinkMessage, nested, text } from './rtnetlink.ts'

/**
 * nf_tables messages as bytes, for the shim's `netlink` operation: a firewall of a container's own network namespace cannot be
 * made with libnftables, which speaks to the daemon's. All in one batch, which holds entirely or not at all.
 */

// linux/netfilter/nfnetlink.h, nf_tables.h, linux/netfilter.h
const NETLINK_NETFILTER = 12
const NFNL_MSG_BATCH_BEGIN = 16
const NFNL_MSG_BATCH_END = 17
const NFNL_SUBSYS_NFTABLES = 10
const NFPROTO_IPV4 = 2
const NLM_F_REQUEST = 0x1
const NLM_F_ACK = 0x4
const NLM_F_CREATE = 0x400
const NFT_MSG_NEWTABLE = 0
const NFT_MSG_DELTABLE = 2
const NFT_MSG_NEWCHAIN = 3
const NFT_MSG_NEWRULE = 6
const NFTA_TABLE_NAME = 1
const NFTA_CHAIN_TABLE = 1
const NFTA_CHAIN_NAME = 3
const NFTA_CHAIN_HOOK = 4
const NFTA_CHAIN_TYPE = 7
const NFTA_HOOK_HOOKNUM = 1
const NFTA_HOOK_PRIORITY = 2
const NFTA_RULE_TABLE = 1
const NFTA_RULE_CHAIN = 2
const NFTA_RULE_EXPRESSIONS = 4
const NFTA_LIST_ELEM = 1
const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_DATA_VALUE = 1
const NFT_REG_1 = 1
const NFT_REG_2 = 2
const NFTA_NAT_REG_PROTO_MIN = 5
const NFT_CMP_EQ = 0
const NFT_NAT_DNAT = 1
const NF_INET_LOCAL_OUT = 3
const NF_IP_PRI_NAT_DST = -100
const NETWORK_HEADER = 1
const TRANSPORT_HEADER = 2
const IPV4_DESTINATION_OFFSET = 16
const DESTINATION_PORT_OFFSET = 2

const TABLE = 'ctr'
const CHAIN = 'dns'

/**
 * What is sent to `address` on port 53 goes to `server` instead, on the same port or on `port`. IPv4. `replaces`: the rules of an earlier call go,
 * for which the kernel waits some milliseconds; without, the newest rule comes first.
 */
export function redirectDns(
  address: Address,
  server: Address,
  { replaces, port: to }: { replaces: boolean; port?: number },
): NetlinkMessage {
  const port = Buffer.from([0, 53])
  const toPort = Buffer.from([(to ?? 53) >> 8, (to ?? 53) & 0xff])
  const expressions = [
    payload(NETWORK_HEADER, IPV4_DESTINATION_OFFSET, 4),
    isEqual(addressBytes(address)),
    payload(TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, 2),
    isEqual(port),
    expression(
      'immediate',
      be32(1, NFT_REG_1),
      nested(2, attribute(NFTA_DATA_VALUE, addressBytes(server))),
    ),
    ...(to === undefined
      ? []
      : [
          expression(
            'immediate',
            be32(1, NFT_REG_2),
            nested(2, attribute(NFTA_DATA_VALUE, toPort)),
          ),
        ]),
    expression(
      'nat',
      be32(1, NFT_NAT_DNAT),
      be32(2, NFPROTO_IPV4),
      be32(3, NFT_REG_1),
      ...(to === undefined ? [] : [be32(NFTA_NAT_REG_PROTO_MIN, NFT_REG_2)]),
    ),
  ]
  const hook = [
    be32(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT),
    be32(NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_DST),
  ]
  const table = text(NFTA_TABLE_NAME, TABLE)
  return batch([
    tables(NFT_MSG_NEWTABLE, NLM_F_CREATE, table),
    ...(replaces
      ? [tables(NFT_MSG_DELTABLE, 0, table), tables(NFT_MSG_NEWTABLE, NLM_F_CREATE, table)]
      : []),
    tables(
      NFT_MSG_NEWCHAIN,
      NLM_F_CREATE,
      text(NFTA_CHAIN_TABLE, TABLE),
      text(NFTA_CHAIN_NAME, CHAIN),
      nested(NFTA_CHAIN_HOOK, ...hook),
      text(NFTA_CHAIN_TYPE, 'nat'),
    ),
    tables(
      NFT_MSG_NEWRULE,
      NLM_F_CREATE | NLM_F_ACK,
      text(NFTA_RULE_TABLE, TABLE),
      text(NFTA_RULE_CHAIN, CHAIN),
      nested(NFTA_RULE_EXPRESSIONS, ...expressions),
    ),
  ])
}

function batch(messages: readonly Buffer[]): NetlinkMessage {
  const begin = netfilter(NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES)
  const end = netfilter(NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES)
  return forShim(Buffer.concat([begin, ...messages, end]))
}

/** One request to another subsystem than nf_tables. */
export function netfilterMessage(
  head: { readonly type: number; readonly flags: number; readonly family: number },
  ...attributes: Buffer[]
): NetlinkMessage {
  return forShim(netfilter(head.type, head.flags, head.family, 0, ...attributes))
}

function forShim(message: Buffer): NetlinkMessage {
  // nlmsg_pid of the first header: the protocol of the shim's socket.
  message.writeUInt32LE(NETLINK_NETFILTER, 12)
  return { message, pidOffset: 0 }
}

function tables(kind: number, flags: number, ...attributes: Buffer[]): Buffer {
  return netfilter((NFNL_SUBSYS_NFTABLES << 8) | kind, flags, NFPROTO_IPV4, 0, ...attributes)
}

/** struct nlmsghdr, struct nfgenmsg, attributes. */
function netfilter(
  type: number,
  flags: number,
  family: number,
  resource: number,
  ...attributes: Buffer[]
): Buffer {
  const body = Buffer.concat(attributes)
  const head = Buffer.alloc(20)
  head.writeUInt32LE(head.length + body.length, 0)
  head.writeUInt16LE(type, 4)
  head.writeUInt16LE(NLM_F_REQUEST | flags, 6)
  head.writeUInt8(family, 16)
  head.writeUInt16BE(resource, 18)
  return Buffer.concat([head, body])
}

function expression(name: string, ...data: Buffer[]): Buffer {
  return nested(NFTA_LIST_ELEM, text(NFTA_EXPR_NAME, name), nested(NFTA_EXPR_DATA, ...data))
}

/** Bytes of the packet into register 1. */
function payload(base: number, offset: number, length: number): Buffer {
  return expression('payload', be32(1, NFT_REG_1), be32(2, base), be32(3, offset), be32(4, length))
}

/** The rule ends unless register 1 has this value. */
function isEqual(value: Uint8Array): Buffer {
  const data = nested(3, attribute(NFTA_DATA_VALUE, value))
  return expression('cmp', be32(1, NFT_REG_1), be32(2, NFT_CMP_EQ), data)
}

/** nf_tables has its numbers in network byte order. */
function be32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return attribute(type, bytes)
}
