import { isIP } from 'node:net'
import type { EngineConfig } from '@ctr/engine'
import {
  type AddressPool,
  type NetworkDefaults,
  parseSubnet,
  type WantedBridge,
} from '@ctr/network'
import type { OptionValues } from './option.ts'
import { bip as bridgeAddress, invalid } from './values.ts'

/** The default bridge. INVALID_ARGUMENT. */
export function bridgeOptions(
  values: OptionValues,
  standard: EngineConfig['bridge'],
): EngineConfig['bridge'] {
  const text = (key: string): string | undefined => emptyAsAbsent(values.get(key))
  const name = text('bridge')
  const bip = values.get('bip') as string | undefined
  if (name === 'none') {
    if (bip !== undefined) throw invalid('bip', bip, 'has no meaning without a bridge')
    return { kind: 'none' }
  }
  if (name !== undefined) checkInterfaceName(name)
  if (values.get('icc') === false && values.get('iptables') === false) {
    throw invalid('icc', 'false', 'needs the firewall that iptables=false switches off')
  }
  const wanted: WantedBridge = {
    name: name ?? (standard.kind === 'bridge' ? standard.name : 'ctr0'),
    bip: bip === undefined ? undefined : bridgeAddress(bip),
    bip6: text('bip6'),
    fixedCidr: subnet('fixed-cidr', text('fixed-cidr'), 4),
    fixedCidrV6: subnet('fixed-cidr-v6', text('fixed-cidr-v6'), 6),
    gateway: ip('default-gateway', text('default-gateway'), 4),
    gatewayV6: ip('default-gateway-v6', text('default-gateway-v6'), 6),
    hostIp: ip('ip', text('ip')),
    mtu: mtu(values.get('mtu')),
    ...flag('hasIpv6', values.get('ipv6')),
    ...flag('allowsInterContainer', values.get('icc')),
    ...flag('masquerades', values.get('ip-masq')),
  }
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined)
  return { kind: 'bridge', ...(Object.fromEntries(given) as unknown as WantedBridge) }
}

/** Of all networks. INVALID_ARGUMENT. */
export function networkDefaults(values: OptionValues): NetworkDefaults {
  return {
    addressPools: addressPools(values.get('default-address-pools') ?? []),
    options: driverOptions(values.get('default-network-opts') ?? {}),
    setsForwarding: values.get('ip-forward') !== false,
    hasFirewall: values.get('iptables') !== false,
  }
}

/** What `host-gateway` stands for; empty: the default bridge. INVALID_ARGUMENT. */
export function hostGateways(values: OptionValues): string[] {
  const one = emptyAsAbsent(values.get('host-gateway-ip'))
  const several = (values.get('host-gateway-ips') ?? []) as readonly string[]
  const all = [...(one === undefined ? [] : [one]), ...several]
  for (const address of all) ip('host-gateway-ip', address)
  return all
}

function addressPools(value: unknown): AddressPool[] {
  if (!Array.isArray(value)) throw invalid('default-address-pools', show(value), 'must be a list')
  return value.map((entry: unknown) => {
    const { base, size } = (entry ?? {}) as { base?: unknown; size?: unknown }
    const parsed = typeof base === 'string' ? parseSubnet(base) : undefined
    if (parsed === undefined || !Number.isInteger(size)) {
      throw invalid(
        'default-address-pools',
        show(entry),
        'needs a subnet as base and a prefix length as size',
      )
    }
    const longest = parsed.family === 4 ? 30 : 126
    if ((size as number) < parsed.prefix || (size as number) > longest) {
      throw invalid(
        'default-address-pools',
        show(entry),
        `size must be from ${parsed.prefix} to ${longest}`,
      )
    }
    return { base: parsed, size: size as number }
  })
}

function driverOptions(value: unknown): Record<string, Record<string, string>> {
  const key = 'default-network-opts'
  if (!isObject(value)) throw invalid(key, show(value), 'must be an object')
  return Object.fromEntries(
    Object.entries(value).map(([driver, options]) => {
      if (!isObject(options) || Object.values(options).some((one) => typeof one !== 'string')) {
        throw invalid(key, show(options), 'must be an object of strings')
      }
      return [driver, options as Record<string, string>]
    }),
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function checkInterfaceName(name: string): void {
  // netdevice(7): IFNAMSIZ is 16 with the NUL.
  if (/^[^\s/:%]{1,15}$/.test(name) && name !== '.' && name !== '..') return
  throw invalid('bridge', name, 'is not an interface name')
}

function subnet(key: string, text: string | undefined, family: 4 | 6): string | undefined {
  if (text === undefined || parseSubnet(text)?.family === family) return text
  throw invalid(key, text, `is not an IPv${family} subnet`)
}

function ip(key: string, text: string | undefined, family?: 4 | 6): string | undefined {
  if (text === undefined || (family === undefined ? isIP(text) !== 0 : isIP(text) === family)) {
    return text
  }
  throw invalid(key, text, `is not an IP${family === undefined ? '' : `v${family}`} address`)
}

/** 0 is the default. IPv4 needs 68 octets. RFC 791 */
function mtu(value: unknown): number | undefined {
  if (value === undefined || value === 0) return undefined
  if ((value as number) >= 68 && (value as number) <= 65_535) return value as number
  throw invalid('mtu', show(value), 'must be from 68 to 65535')
}

function flag<K extends string>(name: K, value: unknown): Partial<Record<K, boolean>> {
  return typeof value === 'boolean' ? ({ [name]: value } as Record<K, boolean>) : {}
}

/** As for dockerd an empty text is none. */
function emptyAsAbsent(value: unknown): string | undefined {
  return value === '' ? undefined : (value as string | undefined)
}

function show(value: unknown): string {
  return JSON.stringify(value)
}
