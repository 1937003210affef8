import type { EndpointConfig, NetworkingConfig } from '@ctr/api'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { parseNetworkMode } from './modes.ts'

/**
 * The networks that a container joins at its starts: the primary one, which its NetworkMode names, and those of its endpoint
 * configurations, as `network connect` and `disconnect` have changed them since. moby calls them NetworkSettings.Networks.
 */
export interface ConfiguredNetworks extends NetworkingConfig {
  /** It was disconnected from the primary network: the mode alone does not bring it back. */
  readonly isPrimaryLeft?: true
}

type Deps = Pick<Engine, 'networks'>

/** By name or as the user has referred to them, the primary network first. With the mode none or host there is no other. */
export function configuredNetworks(
  engine: Deps,
  { networkingConfig }: Pick<ContainerRecord, 'networkingConfig'>,
  primary: string,
): Map<string, EndpointConfig> {
  const configs = new Map<string, EndpointConfig>()
  if (networkingConfig.isPrimaryLeft !== true) configs.set(primary, {})
  const primaryId = engine.networks.find(primary)?.id
  for (const [reference, config] of Object.entries(networkingConfig.EndpointsConfig ?? {})) {
    const id = engine.networks.find(reference === 'default' ? primary : reference)?.id
    const isPrimary = reference === 'default' || (id !== undefined && id === primaryId)
    if (isPrimary) configs.set(primary, config)
    else if (primary !== 'none' && primary !== 'host') configs.set(reference, config)
  }
  return configs
}

/** As `inspect` shows them while it does not run. */
export function configuredNames(container: ContainerRecord): string[] {
  const primary = primaryOf(container)
  const { EndpointsConfig = {}, isPrimaryLeft } = container.networkingConfig
  const asked = Object.keys(EndpointsConfig).map((name) => (name === 'default' ? primary : name))
  return [...new Set([...(isPrimaryLeft === true ? [] : [primary]), ...asked])].sort()
}

export function isConfiguredWith(
  engine: Deps,
  container: ContainerRecord,
  networkId: string,
): boolean {
  const references = configuredNetworks(engine, container, primaryOf(container)).keys()
  return references.some((reference) => engine.networks.find(reference)?.id === networkId)
}

export function withNetwork(
  engine: Deps,
  container: ContainerRecord,
  network: { readonly id: string; readonly name: string },
  endpoint: EndpointConfig,
): ConfiguredNetworks {
  const { EndpointsConfig, isPrimaryLeft } = withoutNetwork(engine, container, network.id)
  const isStillLeft = isPrimaryLeft === true && !isPrimary(engine, container, network.id)
  return {
    EndpointsConfig: { ...EndpointsConfig, [network.name]: endpoint },
    ...(isStillLeft ? { isPrimaryLeft } : {}),
  }
}

export function withoutNetwork(
  engine: Deps,
  container: ContainerRecord,
  networkId: string,
): ConfiguredNetworks {
  const { EndpointsConfig = {}, isPrimaryLeft } = container.networkingConfig
  const primary = primaryOf(container)
  const others = Object.entries(EndpointsConfig).filter(
    ([name]) => engine.networks.find(name === 'default' ? primary : name)?.id !== networkId,
  )
  const isLeft = isPrimaryLeft === true || isPrimary(engine, container, networkId)
  return {
    EndpointsConfig: Object.fromEntries(others),
    ...(isLeft ? { isPrimaryLeft: true } : {}),
  }
}

/** Without a network that is no more, by the name it was asked for. */
export function withoutReference(
  container: ContainerRecord,
  reference: string,
): ConfiguredNetworks {
  const { EndpointsConfig = {}, isPrimaryLeft } = container.networkingConfig
  const primary = primaryOf(container)
  const others = Object.entries(EndpointsConfig).filter(
    ([name]) => (name === 'default' ? primary : name) !== reference,
  )
  return {
    EndpointsConfig: Object.fromEntries(others),
    ...(isPrimaryLeft === true || primary === reference ? { isPrimaryLeft: true } : {}),
  }
}

function isPrimary(engine: Deps, container: ContainerRecord, networkId: string): boolean {
  return engine.networks.find(primaryOf(container))?.id === networkId
}

function primaryOf({ hostConfig }: ContainerRecord): string {
  const mode = parseNetworkMode(hostConfig)
  return mode.kind === 'network' ? mode.name : mode.kind
}
