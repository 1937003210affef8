import { EngineError } from '@ctr/errdefs'
import { formatAddress, parseAddress } from './address.ts'

export interface HostsFileOptions {
  readonly hostname: string
  readonly domainname?: string
  /** The container's own addresses; empty without a network. */
  readonly addresses: readonly string[]
  /** `name:address` or `name=address`; the address may be `host-gateway`. */
  readonly extraHosts: readonly string[]
  /** Other containers, with their names as they stand in the file. */
  readonly links?: readonly { readonly address: string; readonly names: string }[]
  /** What `host-gateway` stands for, one line each; by default the gateways of the default bridge. */
  readonly hostGateways?: readonly string[]
  /** Content of the host's file, for containers on the host's network. */
  readonly hostFile?: string
}

const LOCAL = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::	ip6-localnet
ff00::	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
`

/** Content of a container's /etc/hosts, laid out as Docker's. */
export function hostsFile(o: HostsFileOptions): string {
  // As Docker: with added hosts, the host's file is not used.
  if (o.hostFile !== undefined && o.extraHosts.length === 0) return o.hostFile
  const extra = o.extraHosts.flatMap((entry) => {
    const { name, addresses } = parseExtraHost(entry, o.hostGateways ?? [])
    return addresses.map((address) => `${address}\t${name}\n`)
  })
  const links = (o.links ?? []).map(({ address, names }) => `${address}\t${names}\n`)
  return (
    LOCAL +
    extra.join('') +
    links.join('') +
    o.addresses.map((address) => ownLine(address, o)).join('')
  )
}

/** The file of a running container whose addresses have changed. What else was written into it stays. */
export function moveHostsEntries(
  text: string,
  o: Pick<HostsFileOptions, 'hostname' | 'domainname'> & {
    readonly removed: readonly string[]
    readonly added: readonly string[]
  },
): string {
  const line = (address: string): string => ownLine(address, o)
  const removed = new Set(o.removed.map(line))
  const added = o.added.map(line).join('')
  // Lines with their ends; a last one without is the container's and gets one, so that ours does not run into it.
  const kept = (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    .filter((entry) => !removed.has(entry))
    .join('')
  return kept + (kept === '' || kept.endsWith('\n') || added === '' ? '' : '\n') + added
}

/**
 * The file of a running container when what it is linked to under `alias` has other addresses. Lines that begin with the alias get
 * the address of their family, as Docker does it (libnetwork etchosts.Update); what else was written into the file stays.
 */
export function moveLinkEntries(text: string, alias: string, addresses: readonly string[]): string {
  const line = new RegExp(`^(\\S+)(?=\\t${RegExp.escape(alias)}(?:\\s|\\.|$))`, 'gm')
  return text.replace(
    line,
    (before) => addresses.find((each) => each.includes(':') === before.includes(':')) ?? before,
  )
}

function ownLine(address: string, o: Pick<HostsFileOptions, 'hostname' | 'domainname'>): string {
  return `${address}\t${ownNames(o.domainname ? `${o.hostname}.${o.domainname}` : o.hostname)}\n`
}

function parseExtraHost(
  entry: string,
  hostGateways: readonly string[],
): { name: string; addresses: readonly string[] } {
  const match = /^([^=:]+)[=:](.+)$/.exec(entry)
  const name = match?.[1]
  const value = match?.[2]
  if (name === undefined || value === undefined || /\s/.test(name)) {
    throw new EngineError('INVALID_ARGUMENT', `bad format for add-host: "${entry}"`)
  }
  if (value === 'host-gateway') {
    if (hostGateways.length > 0) return { name, addresses: hostGateways }
    throw new EngineError('INVALID_ARGUMENT', 'unable to derive the IP value for host-gateway')
  }
  const address = parseAddress(value.replace(/^\[(.*)\]$/, '$1'))
  if (address === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `invalid IP address in add-host: "${value}"`)
  }
  return { name, addresses: [formatAddress(address)] }
}

/** A full name is followed by its first part. */
function ownNames(name: string): string {
  const dot = name.indexOf('.')
  return dot > 0 ? `${name} ${name.slice(0, dot)}` : name
}
