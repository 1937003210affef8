import type { HostConfig } from '@ctr/api'

/** `container:X` → `X`; undefined for any other mode. */
export function networkModeContainer(mode: string): string | undefined {
  if (mode === 'container') return ''
  return mode.startsWith('container:') ? mode.slice('container:'.length) : undefined
}

export type NetworkMode =
  | { readonly kind: 'host' | 'none' }
  | { readonly kind: 'container'; readonly reference: string }
  | { readonly kind: 'namespace'; readonly path: string }
  | { readonly kind: 'network'; readonly name: string }

/** `''` and `default` mean the network `bridge`. */
export function parseNetworkMode(hostConfig: HostConfig): NetworkMode {
  const mode = hostConfig.NetworkMode ?? ''
  if (mode === 'host' || mode === 'none') return { kind: mode }
  if (mode.startsWith('ns:')) return { kind: 'namespace', path: mode.slice('ns:'.length) }
  const reference = networkModeContainer(mode)
  if (reference !== undefined) return { kind: 'container', reference }
  return { kind: 'network', name: mode === '' || mode === 'default' ? 'bridge' : mode }
}

/** Where nobody has a name, and `--link` gives one. */
export function isDefaultBridge(hostConfig: HostConfig): boolean {
  const mode = parseNetworkMode(hostConfig)
  return mode.kind === 'network' && mode.name === 'bridge'
}

/** `--network|--ipc|--pid|--uts ns:/path` */
export function namespaceOfMode(mode: string | undefined): string | undefined {
  return mode?.startsWith('ns:') === true ? mode.slice('ns:'.length) : undefined
}
