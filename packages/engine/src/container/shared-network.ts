import type { HostConfig, NetworkingConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import { networkModeContainer } from './modes.ts'

/**
 * `--network container:X`: clients name an endpoint after the mode, but there is none, so nothing of it is kept.
 * INVALID_ARGUMENT for addresses of its own: they are X's. moby runconfig/hostconfig_unix.go validateNetContainerMode
 */
export function withoutSharedEndpoint(
  hostConfig: HostConfig,
  networking: NetworkingConfig,
): NetworkingConfig {
  const mode = hostConfig.NetworkMode ?? ''
  const endpoints = networking.EndpointsConfig ?? {}
  if (networkModeContainer(mode) === undefined || !Object.hasOwn(endpoints, mode)) return networking
  const { [mode]: own, ...others } = endpoints
  if ((own?.MacAddress ?? '') !== '') {
    throw invalid('conflicting options: mac-address and the network mode')
  }
  const { IPv4Address = '', IPv6Address = '' } = own?.IPAMConfig ?? {}
  if (IPv4Address !== '' || IPv6Address !== '') {
    throw invalid('user specified IP address is supported on user defined networks only')
  }
  return { ...networking, EndpointsConfig: others }
}

/** `--name me --network container:me`. INVALID_ARGUMENT. */
export function assertJoinsOther(hostConfig: HostConfig, name: string | undefined): void {
  if (name === undefined || networkModeContainer(hostConfig.NetworkMode ?? '') !== name) return
  throw invalid('cannot join own network')
}
