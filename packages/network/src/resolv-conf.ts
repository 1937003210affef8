import { isLoopback, parseAddress } from './address.ts'

export interface ResolvConfOptions {
  /** The host's /etc/resolv.conf; see `hostResolvConfPaths`. */
  readonly hostFile: string
  /** `--dns`, `--dns-search`, `--dns-option`: each replaces the host's of its kind. A search of `.` means none. */
  readonly nameservers?: readonly string[]
  readonly search?: readonly string[]
  readonly options?: readonly string[]
  /** Where the resolver of the container's networks answers; it knows `nameservers` and asks them. */
  readonly resolver?: string | undefined
  /** The container shares the host's network namespace: loopback resolvers work. */
  readonly isHostNetwork?: boolean
  /** The container has IPv6, so IPv6 resolvers are of use. */
  readonly hasIpv6?: boolean
}

/** systemd-resolved's stub, and the file that has the resolvers behind it. */
const SYSTEMD_STUB = '127.0.0.53'
export const SYSTEMD_RESOLVED_FILE = '/run/systemd/resolve/resolv.conf'
/** Docker's, when nothing of the host's list can be used inside a container. */
const FALLBACK_NAMESERVERS = ['8.8.8.8', '8.8.4.4']

/** What the resolver asks for a container that has no resolvers of its own. */
export function nameserversOf(hostFile: string): readonly string[] {
  const { nameservers } = parse(hostFile)
  return nameservers.length > 0 ? nameservers : FALLBACK_NAMESERVERS
}

/** True when the host's file names systemd-resolved's stub only: read SYSTEMD_RESOLVED_FILE instead of it. */
export function pointsToSystemdStub(hostFile: string): boolean {
  const { nameservers } = parse(hostFile)
  return nameservers.length > 0 && nameservers.every((address) => address === SYSTEMD_STUB)
}

/** Content of a container's /etc/resolv.conf. Asked for at each start, and mostly the same as at the one before. */
export function resolvConf(o: ResolvConfOptions): string {
  if (rendered === undefined || !isSame(rendered.o, o)) rendered = { o, text: render(o) }
  return rendered.text
}

let rendered: { readonly o: ResolvConfOptions; readonly text: string } | undefined

/** Lists are the same if they are one and the same: nobody changes them. */
function isSame(a: ResolvConfOptions, b: ResolvConfOptions): boolean {
  return (
    a.hostFile === b.hostFile &&
    a.nameservers === b.nameservers &&
    a.search === b.search &&
    a.options === b.options &&
    a.resolver === b.resolver &&
    a.isHostNetwork === b.isHostNetwork &&
    a.hasIpv6 === b.hasIpv6
  )
}

function render(o: ResolvConfOptions): string {
  const host = parse(o.hostFile)
  const inherited = o.isHostNetwork
    ? host.nameservers
    : reachable(host.nameservers, o.hasIpv6 === true)
  const own = o.nameservers?.length ? o.nameservers : inherited
  const nameservers = o.resolver === undefined ? own : [o.resolver]
  const search = (o.search?.length ? o.search : host.search).filter((domain) => domain !== '.')
  const given = o.options?.length ? o.options : host.options
  // As Docker: names without a dot are names of containers before anything else.
  const hasNdots = given.some((option) => option.startsWith('ndots:'))
  const options = o.resolver === undefined || hasNdots ? given : [...given, 'ndots:0']
  return [
    ...nameservers.map((address) => `nameserver ${address}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('')
}

function reachable(nameservers: readonly string[], hasIpv6: boolean): readonly string[] {
  const usable = nameservers.filter((text) => {
    const address = parseAddress(text.replace(/%.*$/, ''))
    if (address === undefined || isLoopback(address)) return false
    return address.family === 4 || hasIpv6
  })
  return usable.length > 0 ? usable : FALLBACK_NAMESERVERS
}

interface ResolvConf {
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

/** Each start reads the host's, which hardly ever is another one. */
let last: { readonly text: string; readonly parsed: ResolvConf } | undefined

function parse(text: string): ResolvConf {
  if (last?.text !== text) last = { text, parsed: parseLines(text) }
  return last.parsed
}

/** resolv.conf(5): of `search` and `domain` the last one counts. */
function parseLines(text: string): ResolvConf {
  const result = { nameservers: [] as string[], search: [] as string[], options: [] as string[] }
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/)
    if (keyword === 'nameserver') result.nameservers.push(...values.slice(0, 1))
    if (keyword === 'search' || keyword === 'domain') result.search = values
    if (keyword === 'options') result.options.push(...values)
  }
  return result
}
