import type { Program } from '@ctr/shim'
import { netlink } from '../endpoint/ops.ts'
import { netfilterMessage } from '../netfilter.ts'
import type { NetworksOptions } from '../options.ts'
import { attribute, type NetlinkMessage, nested } from '../rtnetlink.ts'
import { type Publication, translated } from './render.ts'

/**
 * The kernel translates the first packet of a flow and does with the others as with that one. A sender of UDP that goes on with the same
 * ports stays with a container that is gone, or with the host if it was sooner than the container, until it is silent for 30 s or more.
 * Where a published port begins to lead elsewhere, its flows are therefore forgotten. libnetwork iptables/conntrack.go
 */
export async function forgetFlows(
  { exec, log }: Pick<NetworksOptions, 'exec' | 'log'>,
  publications: readonly Publication[],
): Promise<void> {
  const flows = translated(publications).filter(({ protocol }) => protocol === 'udp')
  const wanted = new Map(
    flows.map(({ targetAddress, hostPort }) => {
      const family = targetAddress.includes(':') ? AF_INET6 : AF_INET
      return [`${family} ${hostPort}`, { family, port: hostPort }]
    }),
  )
  if (wanted.size === 0) return
  const program: Program = [...wanted.values()].map(({ family, port }) =>
    netlink('host', forgetUdp(family, port), EINVAL),
  )
  try {
    await exec(program)
  } catch (err) {
    log.warn({ err, ports: [...wanted.keys()] }, 'forget the flows of published ports')
  }
}

const AF_INET = 2
const AF_INET6 = 10
/** From a kernel before 6.8, which takes the port for part of one flow's full address. Flows end by their timeouts there. */
const EINVAL = 22

// linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c (CTA_FILTER_F_*)
const IPCTNL_MSG_CT_DELETE = 2
const NFNL_SUBSYS_CTNETLINK = 1
const NLM_F_ACK = 0x4
const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_PROTO = 2
const CTA_PROTO_NUM = 1
const CTA_PROTO_DST_PORT = 3
const CTA_FILTER = 25
const CTA_FILTER_ORIG_FLAGS = 1
const FILTER_PROTO_NUM_AND_DST_PORT = (1 << 3) | (1 << 5)
const IPPROTO_UDP = 17

/** Deletes what was first sent to this port, of any address. Linux 6.8 */
function forgetUdp(family: number, port: number): NetlinkMessage {
  const [destination, flags] = [Buffer.alloc(2), Buffer.alloc(4)]
  destination.writeUInt16BE(port)
  flags.writeUInt32LE(FILTER_PROTO_NUM_AND_DST_PORT)
  const protocol = nested(
    CTA_TUPLE_PROTO,
    attribute(CTA_PROTO_NUM, Buffer.from([IPPROTO_UDP])),
    attribute(CTA_PROTO_DST_PORT, destination),
  )
  return netfilterMessage(
    { type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, flags: NLM_F_ACK, family },
    nested(CTA_TUPLE_ORIG, protocol),
    nested(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, flags)),
  )
}
