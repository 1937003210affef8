import { EngineError } from '@ctr/errdefs'
import { formatAddress, parseAddress } from './address.ts'

export interface HostsFileOptions {
  readonly hostname: string
  readonly domainname?: string
  /** The container's own addresses; empty without a network. */
  readonly addresses: readonly string[]
  /** `name:address` or `name=address`; the address may be `host-gateway`. */
  readonly extraHosts: readonly string[]
  /** What `host-gateway` stands for: the default bridge's gateway. */
  readonly hostGateway?: string
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
  const own = ownNames(o.domainname ? `${o.hostname}.${o.domainname}` : o.hostname)
  const extra = o.extraHosts.map((entry) => {
    const { name, address } = parseExtraHost(entry, o.hostGateway)
    return `${address}\t${name}\n`
  })
  return LOCAL + extra.join('') + o.addresses.map((address) => `${address}\t${own}\n`).join('')
}

function parseExtraHost(
  entry: string,
  hostGateway: string | undefined,
): { name: string; address: string } {
  const match = /^([^=:]+)[=:](.+)$/.exec(entry)
  const name = match?.[1]
  const value = match?.[2]
  if (name === undefined || value === undefined || /\s/.test(name)) {
    throw new EngineError('INVALID_ARGUMENT', `bad format for add-host: "${entry}"`)
  }
  if (value === 'host-gateway') {
    if (hostGateway !== undefined) return { name, address: hostGateway }
    throw new EngineError('INVALID_ARGUMENT', 'unable to derive the IP value for host-gateway')
  }
  const address = parseAddress(value.replace(/^\[(.*)\]$/, '$1'))
  if (address === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `invalid IP address in add-host: "${value}"`)
  }
  return { name, address: formatAddress(address) }
}

/** A full name is followed by its first part. */
function ownNames(name: string): string {
  const dot = name.indexOf('.')
  return dot > 0 ? `${name} ${name.slice(0, dot)}` : name
}
