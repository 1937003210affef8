import { type Address, addressBytes, contains } from '../address.ts'
import { hasLinks, type Network, poolsOf } from '../network/network.ts'
import { type Answer, CLASS_IN, encodeName, type Query, RCODE, TYPE } from './message.ts'

/** A container that asks: what it may see, in the order in which it is looked at. */
export interface Asker {
  readonly containerId: string
  readonly attachments: readonly Attachment[]
  /** `--dns`; empty: the host's. */
  readonly nameservers: readonly string[]
}

interface Attachment {
  readonly network: Network
  /** Alias in lower case → name of a container on this network. */
  readonly links: Readonly<Record<string, string>>
}

/** Who is where; answered by the database. */
export interface Directory {
  /** Addresses, 4 or 16 bytes each; empty when nobody has the name. */
  find(networkId: string, name: string): Uint8Array[]
  nameAt(networkId: string, address: Uint8Array): string | undefined
}

/**
 * Names of containers on the asker's own networks, and their addresses' names; undefined: it is not ours to say. A name
 * that is known has no record of any other kind (an empty answer, not "no such name", lest the client gives up on it).
 */
export function answerLocally(
  directory: Directory,
  asker: Asker,
  query: Query,
): Answer | undefined {
  if (query.class !== CLASS_IN) return undefined
  const { attachments } = asker
  const reverse = parseReverseName(query.name)
  if (reverse !== undefined) return answerReverse(directory, attachments, reverse, query.type)
  const addresses = findName(directory, attachments, query.name)
  if (addresses === undefined) return undefined
  const records = addresses
    .map((data) => ({ type: data.length === 4 ? TYPE.A : TYPE.AAAA, data }))
    .filter(({ type }) => type === query.type || query.type === TYPE.ANY)
  return { rcode: RCODE.NOERROR, records: rotate(records) }
}

/** True when a network of the asker leads out. */
export function leadsOut(asker: Asker): boolean {
  return asker.attachments.some(({ network }) => !network.isInternal)
}

/** As Docker: the first network that knows the name says it all. `name.network` asks one network. */
function findName(
  directory: Directory,
  attachments: readonly Attachment[],
  name: string,
): Uint8Array[] | undefined {
  if (name === '') return undefined
  const named = attachments.filter(({ network }) => hasNames(network))
  for (const { network, links } of named) {
    const target = Object.hasOwn(links, name) ? links[name] : undefined
    const linked = target === undefined ? [] : directory.find(network.id, target)
    if (linked.length > 0) return linked
    const found = directory.find(network.id, name)
    if (found.length > 0) return found
  }
  for (const { network } of named) {
    const suffix = `.${network.name.toLowerCase()}`
    if (!name.endsWith(suffix)) continue
    const found = directory.find(network.id, name.slice(0, -suffix.length))
    if (found.length > 0) return found
  }
  return undefined
}

/** On the default bridge nobody has a name, as with Docker. */
export function hasNames(network: Network): boolean {
  return hasLinks(network) && network.name !== 'bridge'
}

function answerReverse(
  directory: Directory,
  attachments: readonly Attachment[],
  address: Address,
  type: number,
): Answer | undefined {
  const isInside = ({ network }: Attachment): boolean =>
    hasNames(network) && poolsOf(network).some(({ subnet }) => contains(subnet, address))
  const attachment = attachments.find(isInside)
  if (attachment === undefined) return undefined
  const { network } = attachment
  const container = directory.nameAt(network.id, addressBytes(address))
  const data = container === undefined ? undefined : encodeName(`${container}.${network.name}`)
  // Nobody outside knows the addresses of our subnets.
  if (data === undefined) return { rcode: RCODE.NXDOMAIN, records: [] }
  const isAsked = type === TYPE.PTR || type === TYPE.ANY
  return { rcode: RCODE.NOERROR, records: isAsked ? [{ type: TYPE.PTR, data }] : [] }
}

/** `2.0.72.10.in-addr.arpa` is 10.72.0.2. RFC 1035 §3.5, RFC 3596 §2.5 */
export function parseReverseName(name: string): Address | undefined {
  const match = /^(.+)\.(in-addr|ip6)\.arpa$/.exec(name)
  const labels = match?.[1]?.split('.').reverse() ?? []
  if (match?.[2] === 'in-addr') {
    if (labels.length !== 4 || !labels.every(isOctet)) return undefined
    return { family: 4, value: labels.reduce((sum, label) => (sum << 8n) | BigInt(label), 0n) }
  }
  if (labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined
  return { family: 6, value: BigInt(`0x${labels.join('')}`) }
}

function isOctet(label: string): boolean {
  return /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) <= 255
}

/** Another first record each time: clients take the first one. */
function rotate<T>(list: readonly T[]): T[] {
  const start = Math.floor(Math.random() * list.length)
  return [...list.slice(start), ...list.slice(0, start)]
}
