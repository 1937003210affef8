import { EngineError } from '@ctr/errdefs'
import { type Address, contains, parseAddress, parseSubnet, type Subnet } from '../address.ts'

/** How a container's end of a network is made: driver options of the network, those of the endpoint over them. */
export interface LinkOptions {
  /** Of both ends of the link; undefined: the kernel's. */
  readonly mtu: number | undefined
  readonly txQueueLength: number | undefined
  /** The bridge sends packets back through the port that they came from. */
  readonly isHairpin: boolean
  readonly routes: readonly StaticRoute[]
  /** Name inside; undefined: `eth<n>`. */
  readonly interfaceName: string | undefined
  /** `eth` of `eth<n>`. */
  readonly interfacePrefix: string
  /** Name of the host's end; undefined: one of our own. */
  readonly hostName: string | undefined
  /** Of the interface inside, which they call `IFNAME`. */
  readonly sysctls: readonly InterfaceSysctl[]
}

interface InterfaceSysctl {
  /** `net.ipv4.conf.IFNAME.log_martians` */
  readonly key: string
  readonly value: string
}

interface StaticRoute {
  readonly destination: Subnet
  readonly gateway: Address
}

/** Docker's names. */
export const OPTION_MTU = 'com.docker.network.driver.mtu'
const OPTION_INTERFACE_PREFIX = 'com.docker.network.container_iface_prefix'
const OPTION_INTERFACE_NAME = 'com.docker.network.endpoint.ifname'
const OPTION_SYSCTLS = 'com.docker.network.endpoint.sysctls'
/** Ours: libcontainer's network fields. */
const OPTION_QUEUE = 'ctr.txqueuelen'
const OPTION_HAIRPIN = 'ctr.hairpin'
const OPTION_ROUTES = 'ctr.routes'
const OPTION_HOST_NAME = 'ctr.host_ifname'

type Options = Readonly<Record<string, string>>

/** INVALID_ARGUMENT. Other keys are other parts' business. */
export function parseLinkOptions(options: Options): LinkOptions {
  return {
    mtu: parseNumber(options, OPTION_MTU, 68, 65_535),
    txQueueLength: parseNumber(options, OPTION_QUEUE, 0, 1_000_000),
    isHairpin: parseFlag(options, OPTION_HAIRPIN),
    routes: (options[OPTION_ROUTES] ?? '').split(';').filter(isNotBlank).map(parseRoute),
    interfaceName: parseName(options, OPTION_INTERFACE_NAME, IFNAMSIZ - 1),
    interfacePrefix:
      parseName(options, OPTION_INTERFACE_PREFIX, IFNAMSIZ - 1 - MAX_DIGITS) ?? 'eth',
    hostName: parseName(options, OPTION_HOST_NAME, IFNAMSIZ - 1),
    sysctls: (options[OPTION_SYSCTLS] ?? '').split(',').filter(isNotBlank).map(parseSysctl),
  }
}

/** INVALID_ARGUMENT: the kernel takes no gateway that is not on the link. */
export function assertReachable({ routes }: LinkOptions, subnets: readonly Subnet[]): void {
  for (const { gateway } of routes) {
    if (subnets.some((subnet) => contains(subnet, gateway))) continue
    throw invalid(OPTION_ROUTES, `a gateway is outside the network's subnets`)
  }
}

/** With the final zero. if.h */
const IFNAMSIZ = 16
const MAX_DIGITS = 3

function parseNumber(options: Options, key: string, min: number, max: number): number | undefined {
  const text = options[key]
  if (text === undefined) return undefined
  const value = /^\d{1,7}$/.test(text) ? Number(text) : -1
  if (value >= min && value <= max) return value
  throw new EngineError('INVALID_ARGUMENT', `failed to parse ${key} value: ${text}`)
}

function parseFlag(options: Options, key: string): boolean {
  const text = options[key] ?? 'false'
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw new EngineError('INVALID_ARGUMENT', `failed to parse ${key} value: ${text}`)
}

/** dev_valid_name() of the kernel, without what a shell would trip over. */
function parseName(options: Options, key: string, max: number): string | undefined {
  const name = options[key]
  if (name === undefined) return undefined
  const isName = /^[A-Za-z][A-Za-z0-9_.-]*$/.test(name) && name.length <= max && name !== 'lo'
  if (isName) return name
  throw invalid(key, `"${name}" is no name of an interface (up to ${max} characters)`)
}

function isNotBlank(text: string): boolean {
  return text.trim() !== ''
}

/** `10.9.0.0/16 via 10.72.0.5` */
function parseRoute(text: string): StaticRoute {
  const [, to = '', via = ''] = /^(\S+)\s+via\s+(\S+)$/.exec(text.trim()) ?? []
  const destination = parseSubnet(to)
  const gateway = parseAddress(via)
  if (destination !== undefined && gateway?.family === destination.family) {
    return { destination, gateway }
  }
  throw invalid(OPTION_ROUTES, `"${text.trim()}": must be SUBNET via ADDRESS, several with ";"`)
}

/** Docker's CLI writes it in small letters. */
const IFNAME = /\.IFNAME\./i

/** moby daemon/network.go: each is of one interface, which has no name yet. */
function parseSysctl(text: string): InterfaceSysctl {
  const [, key, value] =
    /^(net\.(?:ipv4|ipv6|mpls)\.[^.=/]+\.IFNAME\.[^.=/]+)=([^=]*)$/i.exec(text) ?? []
  if (key !== undefined && value !== undefined) {
    return { key: key.replace(IFNAME, '.IFNAME.'), value }
  }
  throw new EngineError(
    'INVALID_ARGUMENT',
    `unrecognised network interface sysctl '${text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
  )
}

function invalid(key: string, reason: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${key}: ${reason}`)
}
