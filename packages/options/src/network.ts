import type { EndpointConfig } from '@ctr/api'
import { parseCsv } from './csv.ts'

/** `--network`, and the options that belong to the first one. Throws an Error with Docker's text. */
export interface NetworkAttachment {
  readonly target: string
  readonly endpoint: EndpointConfig
}

/** `NAME`, or `name=NAME,alias=a,ip=1.2.3.4,ip6=…,mac-address=…,driver-opt=k=v,link-local-ip=…,gw-priority=1`. */
export function parseNetwork(text: string): NetworkAttachment {
  if (!/\w+=\w+/.test(text)) return { target: text, endpoint: {} }
  const endpoint: { -readonly [K in keyof EndpointConfig]: EndpointConfig[K] } = {}
  let target = ''
  for (const field of parseCsv(text)) {
    const equals = field.indexOf('=')
    if (equals < 0) throw new Error(`invalid field ${field}`)
    const key = field.slice(0, equals).trim().toLowerCase()
    const value = field.slice(equals + 1).trim()
    if (value === '') throw new Error(`invalid value for '${key}': value is empty`)
    switch (key) {
      case 'name':
        target = value
        break
      case 'alias':
        endpoint.Aliases = [...(endpoint.Aliases ?? []), value.toLowerCase()]
        break
      case 'ip':
        endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv4Address: value }
        break
      case 'ip6':
        endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv6Address: value }
        break
      case 'link-local-ip':
        endpoint.IPAMConfig = {
          ...endpoint.IPAMConfig,
          LinkLocalIPs: [...(endpoint.IPAMConfig?.LinkLocalIPs ?? []), value],
        }
        break
      case 'mac-address':
        endpoint.MacAddress = value
        break
      case 'driver-opt': {
        const at = value.indexOf('=')
        if (at <= 0) throw new Error('invalid key value pair format in driver options')
        endpoint.DriverOpts = {
          ...endpoint.DriverOpts,
          [value.slice(0, at).trim().toLowerCase()]: value.slice(at + 1).trim(),
        }
        break
      }
      case 'gw-priority':
        if (!/^[+-]?\d+$/.test(value))
          throw new Error(`invalid gw-priority (${value}): must be an integer`)
        endpoint.GwPriority = Number(value)
        break
      default:
        throw new Error(`invalid field key ${key}`)
    }
  }
  if (target === '') throw new Error('network name/id is not specified')
  return { target, endpoint }
}

export interface TopLevelNetworkOptions {
  readonly aliases: readonly string[]
  readonly links: readonly string[]
  readonly ip: string
  readonly ip6: string
  readonly linkLocalIps: readonly string[]
  readonly macAddress: string
}

/** The options beside `--network` go to the first network. */
export function networkEndpoints(
  networks: readonly string[],
  options: TopLevelNetworkOptions,
): { mode: string; endpoints: Record<string, EndpointConfig> } {
  const attachments = networks.map(parseNetwork)
  const [first = { target: 'default', endpoint: {} }, ...others] = attachments
  const endpoints = new Map<string, EndpointConfig>()
  for (const { target, endpoint } of [{ ...first, endpoint: merge(first, options) }, ...others]) {
    if (target === '') throw new Error('no name set for network')
    if (others.length > 0 && !isUserDefined(target)) {
      throw new Error(
        'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
      )
    }
    if ((endpoint.Aliases?.length ?? 0) > 0 && !isUserDefined(target)) {
      throw new Error('network-scoped aliases are only supported for user-defined networks')
    }
    if (endpoints.has(target)) throw new Error(`network "${target}" is specified multiple times`)
    if (others.length > 0 || Object.keys(endpoint).length > 0) endpoints.set(target, endpoint)
  }
  return { mode: first.target, endpoints: Object.fromEntries(endpoints) }
}

export function isUserDefined(mode: string): boolean {
  const isShared = mode.startsWith('container:') || mode.startsWith('ns:')
  return !['default', 'bridge', 'host', 'none'].includes(mode) && !isShared
}

function merge(first: NetworkAttachment, options: TopLevelNetworkOptions): EndpointConfig {
  const { endpoint } = first
  const conflict = (name: string): Error =>
    new Error(
      `conflicting options: cannot specify both --${name} and per-network ${WORDS[name] ?? name}`,
    )
  const ipam = endpoint.IPAMConfig
  if (options.aliases.length > 0 && endpoint.Aliases !== undefined) throw conflict('network-alias')
  if (options.ip !== '' && ipam?.IPv4Address !== undefined) throw conflict('ip')
  if (options.ip6 !== '' && ipam?.IPv6Address !== undefined) throw conflict('ip6')
  if (options.linkLocalIps.length > 0 && ipam?.LinkLocalIPs !== undefined)
    throw conflict('link-local-ip')
  if (options.macAddress !== '' && endpoint.MacAddress !== undefined) throw conflict('mac-address')
  const ownIpam = {
    ...ipam,
    ...(options.ip === '' ? {} : { IPv4Address: options.ip }),
    ...(options.ip6 === '' ? {} : { IPv6Address: options.ip6 }),
    ...(options.linkLocalIps.length === 0 ? {} : { LinkLocalIPs: [...options.linkLocalIps] }),
  }
  return {
    ...endpoint,
    ...(options.aliases.length === 0 ? {} : { Aliases: [...options.aliases] }),
    ...(options.links.length === 0 || !isUserDefined(first.target)
      ? {}
      : { Links: [...options.links] }),
    ...(options.macAddress === '' ? {} : { MacAddress: options.macAddress }),
    ...(Object.keys(ownIpam).length === 0 ? {} : { IPAMConfig: ownIpam }),
  }
}

const WORDS: Readonly<Record<string, string>> = {
  'network-alias': 'alias',
  ip: 'IPv4 address',
  ip6: 'IPv6 address',
  'link-local-ip': 'link-local IP addresses',
  'mac-address': 'MAC address',
}
