import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { EngineError, isErrno } from '@ctr/errdefs'
import { interfaceIndex } from '@ctr/linux'
import type { Program } from '@ctr/shim'
import { type Address, parseInterfaceAddress, parseSubnet, type Subnet } from '../address.ts'
import { EEXIST, ENODEV, netlink } from '../endpoint/ops.ts'
import { deleteLink, IFF_UP, newAddress, newBridge, setLinkAlias, setLinkUp } from '../rtnetlink.ts'

/** Runs host-side operations in the daemon's network namespace; resolves when all have succeeded. */
export type Exec = (program: Program) => Promise<void>

export interface BridgeLink {
  readonly name: string
  readonly addresses: readonly { readonly address: Address; readonly prefix: number }[]
  readonly mtu: number | undefined
  /** Kept in the link's alias, so that it can be told whose it is; undefined for a link that is not ours. */
  readonly owner: string | undefined
}

/** Makes the bridge, or completes it, and returns its index. Running it again changes nothing. */
export async function ensureBridge(exec: Exec, bridge: BridgeLink): Promise<number> {
  const { name, mtu } = bridge
  if (interfaceIndex(name) === undefined) {
    // An address of its own, locally administered: a bridge without one takes the lowest of its ports', which come and go.
    const mac = Buffer.concat([Buffer.from([0x02, 0x42]), randomBytes(4)])
    await exec([
      netlink('host', newBridge({ name, mac, ...(mtu === undefined ? {} : { mtu }) }), EEXIST),
    ])
  }
  const index = interfaceIndex(name)
  if (index === undefined) throw new EngineError('INTERNAL', `bridge ${name} has vanished`)
  if (bridge.owner !== undefined) ignoreAdvertisements(name)
  await exec([
    ...(bridge.owner === undefined ? [] : [netlink('host', setLinkAlias({ index }, bridge.owner))]),
    ...bridge.addresses.map(({ address, prefix }) =>
      netlink('host', newAddress(index, address, prefix)),
    ),
    netlink('host', setLinkUp({ index })),
  ])
  return index
}

/** Else a container that says it is a router becomes the way out of a host that does not forward IPv6. CVE-2020-13401 */
function ignoreAdvertisements(name: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/accept_ra`, '0')
  } catch (error) {
    // No IPv6 here; sysctls that are somebody else's.
    if (!isErrno(error, 'ENOENT', 'EROFS', 'EACCES')) throw error
  }
}

export async function deleteLinks(exec: Exec, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await exec(names.map((name) => netlink('host', deleteLink({ name }), ENODEV)))
}

/** The alias of a link; undefined when there is no such link. */
export function linkAlias(name: string): string | undefined {
  return readText(`/sys/class/net/${name}/ifalias`)?.trim()
}

/** Undefined when there is no such link. */
export function linkMtu(name: string): number | undefined {
  const text = readText(`/sys/class/net/${name}/mtu`)
  return text === undefined ? undefined : Number(text)
}

/** Switched off, as opposed to without a carrier. False when there is no such link. */
export function isLinkDown(name: string): boolean {
  const flags = readText(`/sys/class/net/${name}/flags`)
  return flags !== undefined && (Number(flags) & IFF_UP) === 0
}

/** Links enslaved to a bridge. */
export function portsOfBridge(name: string): string[] {
  try {
    return readdirSync(`/sys/class/net/${name}/brif`)
  } catch {
    return [] // no such bridge
  }
}

export function isBridge(name: string): boolean {
  return readText(`/sys/class/net/${name}/bridge/bridge_id`) !== undefined
}

/** First IPv4 address of a link that is up. */
export function ipv4AddressOf(name: string): (Address & { prefix: number }) | undefined {
  const found = networkInterfaces()[name]?.find((entry) => entry.family === 'IPv4')
  return found?.cidr ? parseInterfaceAddress(found.cidr) : undefined
}

/** Subnets that the host uses: its addresses, its routes (VPNs too), and its resolvers, which may be behind the default route. */
export function hostSubnets(): Subnet[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .flatMap((entry) => (entry.cidr ? [parseSubnet(entry.cidr)] : []))
  const routes = parseRoutes(readText('/proc/net/route') ?? '')
  const resolvers = [...(readText('/etc/resolv.conf') ?? '').matchAll(/^nameserver\s+(\S+)/gm)]
    .flatMap(([, text]) => parseSubnet(`${text}/32`) ?? [])
    .filter((subnet) => subnet.family === 4)
  return [...addresses.filter((subnet) => subnet !== undefined), ...routes, ...resolvers]
}

/** /proc/net/route: proc(5). Addresses are hexadecimal numbers in the machine's (little-endian) order. */
export function parseRoutes(text: string): Subnet[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      const [destination, mask] = [fields[1], fields[7]]
      if (destination === undefined || mask === undefined) return []
      const prefix = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length
      if (prefix === 0) return []
      const address = BigInt(Buffer.from(destination, 'hex').reverse().readUInt32BE())
      return [{ family: 4 as const, address, prefix }]
    })
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // no such link, or no IPv4
  }
}
