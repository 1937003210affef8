import { type Op, protocolNumber } from '@ctr/shim'
import { type Address, parseAddress } from '../address.ts'
import type { Publication } from '../firewall/render.ts'
import { newLanLink } from '../lan/link-messages.ts'
import type { LanMode } from '../lan/options.ts'
import {
  disableIpv6LinkLocal,
  LOOPBACK_INDEX,
  type NetlinkMessage,
  newAddress,
  newRoute,
  newVeth,
  setHairpin,
  setLinkUp,
  type VethMessage,
  vethLike,
} from '../rtnetlink.ts'
import type { LinkOptions } from './link-options.ts'

type Side = 'host' | 'child'

/** A container's end of a network, as decided; nothing here is looked up. */
export interface EndpointLink {
  /** Host end of the veth pair. */
  readonly link: string
  /** In a namespace that is not fresh, so that `interfaceIndex` is obeyed; undefined: the next one. */
  readonly linkIndex: number | undefined
  /** Of the bridge, or of the parent. */
  readonly aboveIndex: number
  /** A link on a parent instead of a veth pair. */
  readonly lan: LanMode | undefined
  /** The default routes are by the link itself, of the families of its addresses. */
  readonly isRoutedByLink: boolean
  readonly interfaceName: string
  readonly interfaceIndex: number
  /** Undefined: the parent's. */
  readonly mac: Uint8Array | undefined
  readonly options: LinkOptions
  readonly addresses: readonly { readonly address: Address; readonly prefix: number }[]
  /** Default routes; empty when another endpoint has them, and on internal networks. */
  readonly gateways: readonly Address[]
}

/** On the host, after clone: one message makes both ends, the peer in the child's network namespace. The pair goes with it. */
export function hostOps(endpoint: EndpointLink): Op[] {
  const { link, lan, mac } = endpoint
  if (lan !== undefined) return [netlink('host', lanMessage(endpoint, lan))]
  if (mac === undefined) throw new TypeError(`no address of ${link}`)
  const { isHairpin } = endpoint.options
  return [
    netlink('host', vethMessage({ ...endpoint, mac })),
    ...(isHairpin ? [netlink('host', setHairpin({ name: link }))] : []),
  ]
}

/** Of pairs that differ only in the host end's name and the address; to make one from its parts takes ten times as long. */
function vethMessage(endpoint: EndpointLink & { mac: Uint8Array }): NetlinkMessage {
  const { link, linkIndex, aboveIndex: bridgeIndex, interfaceName, interfaceIndex, mac } = endpoint
  const { mtu, txQueueLength } = endpoint.options
  const key = `${link.length} ${bridgeIndex} ${interfaceName} ${interfaceIndex} ${mtu} ${txQueueLength}`
  const known = linkIndex === undefined ? veths.get(key) : undefined
  if (known !== undefined) return vethLike(known, link, mac)
  const message = newVeth({
    host: {
      name: link,
      master: bridgeIndex,
      ...(linkIndex === undefined ? {} : { index: linkIndex }),
    },
    peer: { name: interfaceName, index: interfaceIndex, mac },
    ...(mtu === undefined ? {} : { mtu }),
    ...(txQueueLength === undefined ? {} : { txQueueLength }),
  })
  if (veths.size === MADE_MAX) veths.clear()
  // A `linkIndex` is a number that nobody will have again.
  if (linkIndex === undefined) veths.set(key, message)
  return message
}

function lanMessage(endpoint: EndpointLink, mode: LanMode): NetlinkMessage {
  const { aboveIndex: parent, interfaceName: name, interfaceIndex: index, mac } = endpoint
  const { mtu, txQueueLength } = endpoint.options
  return newLanLink({ mode, parent, name, index, mac, mtu, txQueueLength })
}

const veths = new Map<string, VethMessage>()

/** In the container's network namespace. */
export function childOps(endpoint: EndpointLink): Op[] {
  const { addresses, gateways, interfaceIndex: index } = endpoint
  const hasIpv6 = addresses.some(({ address }) => address.family === 6)
  return [
    // As Docker: no IPv6, not even link-local, on a network without it. EAFNOSUPPORT: the kernel has none anyway.
    ...(hasIpv6 ? [] : [withoutLinkLocal(index)]),
    ...endpoint.options.sysctls.map(({ key, value }): Op => {
      // A slash stands for a dot. sysctl.d(5)
      const name = endpoint.interfaceName.replaceAll('.', '/')
      return { op: 'sysctl', key: key.replace('IFNAME', name), value }
    }),
    ...addresses.map(({ address, prefix }) => netlink('child', newAddress(index, address, prefix))),
    linkUp(index),
    ...gateways.map((gateway) => defaultRoute(gateway, index)),
    ...(endpoint.isRoutedByLink ? linkRoutes(addresses, index) : []),
    ...endpoint.options.routes.map(({ destination: { family, address: value, prefix }, gateway }) =>
      netlink(
        'child',
        newRoute({ family, destination: { address: { family, value }, prefix }, gateway, index }),
      ),
    ),
  ]
}

/** The only thing that a new network namespace needs by itself. */
export function loopbackOps(): Op[] {
  return [linkUp(LOOPBACK_INDEX)]
}

function linkUp(index: number): Op {
  return alike(`up ${index}`, () => netlink('child', setLinkUp({ index })))
}

function withoutLinkLocal(index: number): Op {
  return alike(`no link-local ${index}`, () =>
    netlink('child', disableIpv6LinkLocal({ index }), EAFNOSUPPORT),
  )
}

function defaultRoute(gateway: Address, index: number): Op {
  const { family, value } = gateway
  return alike(`by ${family} ${value} ${index}`, () =>
    netlink('child', newRoute({ family, gateway, index })),
  )
}

/** Default routes without a gateway. */
export function linkRoutes(
  addresses: readonly { readonly address: Address }[],
  index: number,
): Op[] {
  const families = new Set(addresses.map(({ address }) => address.family))
  return [...families].map((family) => netlink('child', newRoute({ family, index })))
}

/** Made before. Frozen: they are one and the same in the programs of many containers. */
const made = new Map<string, Op>()
const MADE_MAX = 256

function alike(key: string, make: () => Op): Op {
  const known = made.get(key)
  if (known !== undefined) return known
  const op = Object.freeze(make())
  if (made.size === MADE_MAX) made.clear()
  made.set(key, op)
  return op
}

/** The shim's listeners: they hold the host's ports and serve loopback, hairpin and IPv6 clients. */
export function forwardOps(publications: readonly Publication[]): Op[] {
  const held = publications.filter(({ hostPort }) => hostPort !== 0)
  return held.map((port) => ({
    op: 'forward',
    protocol: protocolNumber(port.protocol),
    address: port.hostIp,
    port: port.hostPort,
    target_address: port.targetAddress,
    target_port: port.containerPort,
  }))
}

export function netlink(side: Side, { message, pidOffset }: NetlinkMessage, ignore = 0): Op {
  return { op: 'netlink', side, message, pid_offset: pidOffset, ignore }
}

export const EEXIST = 17
export const ENODEV = 19
const EAFNOSUPPORT = 97

/** For addresses that were checked when they were stored. */
export function storedAddress(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  return address
}
