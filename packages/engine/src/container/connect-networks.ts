import type { EndpointConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Endpoint, EndpointPlan, PortBinding, StartingEndpoint } from '@ctr/network'
import type { NetworkPlan } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import { configuredNetworks } from './configured-networks.ts'
import type { ContainerRecord } from './container.ts'
import { exposedPorts } from './exposed-ports.ts'
import { type NetworkMode, parseNetworkMode } from './modes.ts'

type Deps = Pick<Engine, 'config' | 'networks'>

/** The mode that holds: with `--bridge none` the default network is none. */
export function effectiveNetworkMode(engine: Deps, container: ContainerRecord): NetworkMode {
  const mode = parseNetworkMode(container.hostConfig)
  const isOff = mode.kind === 'network' && mode.name === 'bridge'
  return isOff && engine.networks.defaultNetwork === 'none' ? { kind: 'none' } : mode
}

/**
 * Allocates the endpoints of a container that is about to start; undone by `networks.disconnect`. Whoever records the start
 * has them record themselves. `previous`: addresses by network name that it gets again if they are free.
 */
export async function connectNetworks(
  engine: Deps,
  container: ContainerRecord,
  mode: NetworkMode,
  previous: ReadonlyMap<string, { readonly ipv4: string; readonly ipv6: string }> = new Map(),
): Promise<StartingEndpoint[]> {
  if (mode.kind === 'container' || mode.kind === 'namespace') return []
  const primary = mode.kind === 'network' ? mode.name : mode.kind
  const endpointConfigs = configuredNetworks(engine, container, primary)
  const names = namesOf(engine, container)
  const publisher = mode.kind === 'network' ? publishingNetwork(engine, endpointConfigs) : undefined
  const plans: StartingEndpoint[] = []
  for (const [network, config] of endpointConfigs) {
    assertUserDefined(network, config)
    plans.push(
      await asNetworking(
        engine.networks.connect({
          containerId: container.id,
          containerName: container.name,
          network,
          aliases: config.Aliases ?? [],
          links: config.Links ?? [],
          ...names,
          requestedIp: config.IPAMConfig?.IPv4Address,
          requestedIpv6: config.IPAMConfig?.IPv6Address,
          preferredIp: previous.get(network)?.ipv4,
          preferredIpv6: previous.get(network)?.ipv6,
          macAddress: config.MacAddress ?? container.config.MacAddress,
          driverOptions: config.DriverOpts,
          gatewayPriority: config.GwPriority,
          ports: network === publisher ? portBindings(container) : [],
          index: plans.length,
          isOnly: endpointConfigs.size === 1,
        }),
      ),
    )
  }
  return plans
}

/** Docker 28's words for what fails of a start. */
async function asNetworking(connected: Promise<StartingEndpoint>): Promise<StartingEndpoint> {
  return await connected.catch((cause: unknown) => {
    if (!(cause instanceof EngineError)) throw cause
    const message = `failed to set up container networking: ${cause.message}`
    throw new EngineError(cause.code, message, { cause })
  })
}

/**
 * Of a container whose start nobody has recorded: its endpoint, if that was to be recorded with the start. Networks with links have
 * written theirs down before.
 */
export async function unrecordedEndpoints(
  engine: Deps,
  container: ContainerRecord,
): Promise<StartingEndpoint[]> {
  const mode = effectiveNetworkMode(engine, container)
  const isBare = mode.kind === 'none' || mode.kind === 'host'
  if (!isBare || engine.networks.endpointsOfContainer(container.id).length > 0) return []
  return connectNetworks(engine, container, mode)
}

/** Ports are published once: where the default route is. */
function publishingNetwork(
  engine: Deps,
  configs: ReadonlyMap<string, EndpointConfig>,
): string | undefined {
  const candidates = [...configs].map(([network, { GwPriority: priority = 0 }]) => ({
    network,
    priority,
  }))
  return engine.networks.wayOut(candidates)
}

/**
 * Nobody resolves names on a predefined network, and addresses are the daemon's. As moby, at the start and at
 * `network connect`. INVALID_ARGUMENT.
 */
export function assertUserDefined(network: string, config: EndpointConfig): void {
  if (!['bridge', 'host', 'none'].includes(network)) return
  const { IPv4Address = '', IPv6Address = '' } = config.IPAMConfig ?? {}
  if (IPv4Address !== '' || IPv6Address !== '') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'user specified IP address is supported on user defined networks only',
    )
  }
  if ((config.Aliases ?? []).length > 0) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'network-scoped alias is supported only for containers in user defined networks',
    )
  }
}

/** What the resolver of its networks must know of a container. */
export function namesOf(
  engine: Pick<Engine, 'config'>,
  { config, hostConfig }: ContainerRecord,
): { hostname: string | undefined; nameservers: readonly string[] } {
  const nameservers = hostConfig.Dns?.length ? hostConfig.Dns : engine.config.dns
  return { hostname: config.Hostname, nameservers }
}

/** `-p` and, with `-P`, one free port for each exposed port. */
export function portBindings(container: ContainerRecord): PortBinding[] {
  const { config, hostConfig } = container
  const published = Object.entries(hostConfig.PortBindings ?? {}).flatMap(([port, bindings]) =>
    bindings.map((binding) => ({
      ...parsePort(port),
      hostIp: binding.HostIp ?? '',
      hostPort: binding.HostPort ?? '',
    })),
  )
  if (hostConfig.PublishAllPorts !== true) return published
  const bound = new Set(Object.keys(hostConfig.PortBindings ?? {}))
  const free = exposedPorts(config).filter(
    ({ port, protocol }) => !bound.has(`${port}/${protocol}`),
  )
  return [
    ...published,
    ...free.map(({ port, protocol }) => ({
      protocol,
      containerPort: port,
      hostIp: '',
      hostPort: '',
    })),
  ]
}

function parsePort(port: string): { protocol: string; containerPort: number } {
  const [number = '', protocol = 'tcp'] = port.split('/')
  return { protocol, containerPort: Number(number) }
}

export type EndpointOps = Pick<EndpointPlan, 'hostOps' | 'childOps' | 'forwards'>

/** All endpoints' operations as one plan. */
export function networkPlan(plans: readonly EndpointOps[]): NetworkPlan {
  return {
    hostOps: plans.flatMap((plan) => plan.hostOps),
    childOps: plans.flatMap((plan) => plan.childOps),
    forwards: plans.flatMap((plan) => plan.forwards),
  }
}

/** For /etc/hosts. */
export function addressesOf(endpoints: readonly Endpoint[]): string[] {
  return endpoints.flatMap(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap((entry) => (entry === undefined ? [] : [entry.address])),
  )
}
