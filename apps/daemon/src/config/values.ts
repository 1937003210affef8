import { isIP, isIPv4 } from 'node:net'
import { resolve } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { isRlimitName } from '@ctr/oci'

/** Values of single options, from flag or file. All throw INVALID_ARGUMENT with option and value. */

export function invalid(key: string, value: string, why: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid ${key} ${JSON.stringify(value)}: ${why}`)
}

/** A relative path is one of the directory that ctrd was started in. An empty one would be that directory itself. */
export function path(key: string, text: string): string {
  if (text === '' || text.includes('\0')) throw invalid(key, text, 'is not a path')
  return resolve(text)
}

export function dnsServer(text: string): string {
  if (isIP(text) !== 0) return text
  throw invalid('dns', text, 'is not an IP address')
}

/** `.` stands for no search domain at all. moby opts/opts.go ValidateDNSSearch */
export function searchDomain(text: string): string {
  const label = '[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?'
  if (
    text === '.' ||
    (text.length <= 255 && new RegExp(`^${label}(\\.${label})*\\.?$`).test(text))
  ) {
    return text
  }
  throw invalid('dns-search', text, 'is not a valid domain')
}

/** `host`, `host:port` or a network. */
export function insecureRegistry(text: string): string {
  if (/^[^\s/]+(\/[0-9]{1,3})?$/.test(text)) return text
  throw invalid('insecure-registries', text, 'must be host[:port] or a network such as 10.0.0.0/8')
}

export function mirror(text: string): string {
  const url = URL.parse(text)
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '') return text
  throw invalid('registry-mirrors', text, 'must be an http or https URL')
}

/** A key may be given twice only with the same value. moby daemon/config/config.go GetConflictFreeLabels */
export function labels(list: readonly string[]): string[] {
  const values = new Map<string, string>()
  for (const label of list) {
    const match = /^([^=]+)=/.exec(label)
    if (match === null) throw invalid('labels', label, 'must be key=value')
    const [, key = ''] = match
    const other = values.get(key)
    if (other !== undefined && other !== label) {
      throw invalid('labels', label, `conflicts with ${JSON.stringify(other)}`)
    }
    values.set(key, label)
  }
  return [...values.values()]
}

/** Address and prefix length of a bridge: an address for a host, with room for containers beside it. */
export function bip(text: string): string {
  const [address = '', length = '', ...more] = text.split('/')
  if (!isIPv4(address) || !/^[0-9]{1,2}$/.test(length) || Number(length) > 32 || more.length > 0) {
    throw invalid('bip', text, 'must be an IPv4 address with prefix length, e.g. 172.30.0.1/16')
  }
  const value = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
  const size = 2 ** (32 - Number(length))
  const host = value % size
  const first = Math.floor(value / 2 ** 24)
  const isForHosts = first !== 0 && first !== 127 && first < 224
  if (size < 4 || host === 0 || host === size - 1 || !isForHosts) {
    throw invalid('bip', text, 'is not an address for a host in a subnet with room for containers')
  }
  return text
}

/** `-1` is no limit. */
export function ulimit(
  name: string,
  soft: number,
  hard: number,
): { Name: string; Soft: number; Hard: number } {
  if (!isRlimitName(name)) throw invalid('default-ulimits', name, 'is not the name of a limit')
  const most = hard === -1 ? Infinity : hard
  if ((soft === -1 ? Infinity : soft) > most) {
    throw invalid(
      'default-ulimits',
      `${name}=${soft}:${hard}`,
      'the soft limit is above the hard limit',
    )
  }
  return { Name: name, Soft: soft, Hard: hard }
}
