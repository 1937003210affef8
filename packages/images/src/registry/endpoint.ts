import { isIP } from 'node:net'
import { DEFAULT_DOMAIN } from '@ctr/oci'

export interface RegistrySettings {
  /** Hosts (with port) and networks (`10.0.0.0/8`) that may be spoken to without a valid certificate or without TLS. */
  readonly insecure: readonly string[]
  /** Base URLs that are asked before Docker Hub. */
  readonly mirrors: readonly string[]
  /** Layers that one pull fetches at a time. */
  readonly maxDownloads: number
  /** Layers that one push sends at a time. */
  readonly maxUploads: number
  /** For a layer, before the pull fails. */
  readonly maxAttempts: number
}

export const DEFAULT_REGISTRY_SETTINGS: RegistrySettings = {
  insecure: [],
  mirrors: [],
  maxDownloads: 3,
  maxUploads: 5,
  maxAttempts: 5,
}

/** One place to try. `verifiesTls` is false where any certificate will do. */
export interface Endpoint {
  readonly base: string
  readonly verifiesTls: boolean
}

const HUB_HOST = 'registry-1.docker.io'

/**
 * Where to look for a domain's images: registries in order of preference, each with the ways to reach it, TLS first and
 * plain HTTP only where that is allowed (loopback always is).
 */
export function endpointsOf(
  domain: string,
  settings: Pick<RegistrySettings, 'insecure' | 'mirrors'>,
  purpose: 'pull' | 'push',
): Endpoint[][] {
  if (domain === DEFAULT_DOMAIN) {
    const hub = { base: `https://${HUB_HOST}`, verifiesTls: true }
    const mirrors = purpose === 'push' ? [] : settings.mirrors
    return [...mirrors.map((base) => [mirror(base, settings)]), [hub]]
  }
  const isInsecure = isInsecureHost(domain, settings.insecure)
  const secure = { base: `https://${domain}`, verifiesTls: !isInsecure }
  if (!isInsecure) return [[secure]]
  return [[secure, { base: `http://${domain}`, verifiesTls: false }]]
}

function mirror(base: string, settings: Pick<RegistrySettings, 'insecure'>): Endpoint {
  const { host } = new URL(base)
  return {
    base: base.replace(/\/+$/, ''),
    verifiesTls: !isInsecureHost(host, settings.insecure),
  }
}

function isInsecureHost(domain: string, insecure: readonly string[]): boolean {
  const host = domain.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  if (host === 'localhost' || host === '::1' || inNetwork(host, '127.0.0.0/8')) return true
  return insecure.some((entry) => entry === domain || entry === host || inNetwork(host, entry))
}

/** IPv4 only: dockerd's networks of IPv6 hosts are a rarity. */
function inNetwork(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/')
  if (isIP(host) !== 4 || isIP(address) !== 4 || !/^\d{1,2}$/.test(bits)) return false
  const shift = 32 - Number(bits)
  return shift >= 32 || toNumber(host) >>> shift === toNumber(address) >>> shift
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0)
}
