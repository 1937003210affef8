import type {
  ContainerInspect,
  ContainerState,
  EndpointSettings,
  Health,
  HostConfig,
  MountPoint,
  NetworkSettings,
  PortBinding,
} from '@ctr/api'
import {
  type Container,
  type ContainerPlaces,
  type ContainerRecord,
  configuredNames,
  type Engine,
  isAlive,
  isCheckpointed,
} from '@ctr/engine'
import { rfc3339 } from '../../time.ts'
import { sortedKeys } from '../sorted-keys.ts'
import { renderConfig } from './render-config.ts'
import { renderHostConfig } from './render-host-config.ts'

type Endpoint = Container['endpoints'][number]

/** A record with the parts of it that lists show, too. */
export type ListedContainer = ContainerRecord & Pick<Container, 'endpoints' | 'linkedAs' | 'health'>

export interface ContainerSizes {
  readonly sizeRw: number
  readonly sizeRootFs: number
}

export function renderInspect(
  container: Container,
  apiMinor: number,
  o: {
    dataRoot: string
    /** The daemon's, that hold where the container names none. */
    defaultUlimits: Engine['config']['defaultUlimits']
    sizes?: ContainerSizes | undefined
    places?: ContainerPlaces | undefined
  },
): ContainerInspect {
  const absolute = (path: string): string => (path.startsWith('/') ? path : `${o.dataRoot}/${path}`)
  // Made by the first start.
  const hasFiles = container.state.startedAtNs !== 0n
  return {
    Id: container.id,
    Created: rfc3339(container.createdAtNs),
    Path: container.path,
    Args: [...container.args],
    State: renderState(container, o.places),
    Image: container.imageId,
    ResolvConfPath: hasFiles ? container.resolvConfPath : '',
    HostnamePath: hasFiles ? container.hostnamePath : '',
    HostsPath: hasFiles ? container.hostsPath : '',
    // Docker shows that of json-file only.
    LogPath: hasFiles && hasJsonLog(container) ? container.logPath : '',
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: container.driver,
    Platform: 'linux',
    MountLabel: container.labels.mount,
    ProcessLabel: container.labels.process,
    AppArmorProfile: container.appArmorProfile,
    ExecIDs: container.execIds.length === 0 ? null : [...container.execIds],
    HostConfig: renderHostConfig(withUlimits(container.hostConfig, o.defaultUlimits), apiMinor),
    GraphDriver: {
      Data: {
        ...(apiMinor >= 48 ? { ID: container.id } : {}),
        LowerDir: container.layers.map(absolute).join(':'),
        MergedDir: container.mergedDir,
        UpperDir: container.upperDir,
        WorkDir: container.workDir,
      },
      Name: container.driver,
    },
    ...(o.sizes === undefined ? {} : { SizeRw: o.sizes.sizeRw, SizeRootFs: o.sizes.sizeRootFs }),
    Mounts: container.mounts.map(renderMount),
    Config: renderConfig(container.config, apiMinor),
    NetworkSettings: renderNetworkSettings(container, apiMinor),
  }
}

function hasJsonLog({ hostConfig }: Container): boolean {
  return ['', 'json-file'].includes(hostConfig.LogConfig?.Type ?? '')
}

/** moby daemon/oci_linux.go mergeUlimits */
function withUlimits(
  hostConfig: HostConfig,
  standard: Engine['config']['defaultUlimits'],
): HostConfig {
  const own = hostConfig.Ulimits ?? []
  const others = standard.filter(({ Name }) => own.every((one) => one.Name !== Name))
  return others.length === 0 ? hostConfig : { ...hostConfig, Ulimits: [...own, ...others] }
}

function renderState(container: Container, places: ContainerPlaces | undefined): ContainerState {
  const { state } = container
  const health = renderHealth(container)
  return {
    Status: state.status,
    // Docker: a paused or restarting container is running, too.
    Running: isUp(container),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.isOomKilled,
    Dead: state.status === 'dead',
    Pid: 'pid' in state ? state.pid : 0,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: rfc3339(state.startedAtNs),
    FinishedAt: rfc3339(state.finishedAtNs),
    ...(health === undefined ? {} : { Health: health }),
    ...(isCheckpointed(container) ? { Checkpointed: true } : {}),
    ...(places === undefined
      ? {}
      : {
          StartTicks: Number(places.startTicks),
          NamespacePaths: places.namespaces,
          CgroupPaths: places.cgroups,
        }),
  }
}

/** Absent without a health check. */
function renderHealth({ health }: Container): Health | undefined {
  if (health === undefined) return undefined
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log:
      health.log.length === 0
        ? null
        : health.log.map(({ startNs, endNs, exitCode, output }) => ({
            Start: rfc3339(startNs),
            End: rfc3339(endNs),
            ExitCode: exitCode,
            Output: output,
          })),
  }
}

export function isUp({ state: { status } }: ContainerRecord): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting'
}

export function renderMount(mount: Container['mounts'][number]): MountPoint {
  return {
    Type: mount.type,
    ...(mount.name === undefined ? {} : { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver === undefined ? {} : { Driver: mount.driver }),
    Mode: mount.mode,
    RW: !mount.readOnly,
    Propagation: mount.propagation,
  }
}

function renderNetworkSettings(container: Container, apiMinor: number): NetworkSettings {
  // The fields at the top repeat the endpoint on the default bridge.
  const onBridge = container.endpoints.find((endpoint) => endpoint.networkName === 'bridge')
  return {
    Bridge: '',
    SandboxID: isUp(container) ? container.id : '',
    SandboxKey: 'pid' in container.state ? `/proc/${container.state.pid}/ns/net` : '',
    Ports: isUp(container) ? renderPortMap(container) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: onBridge?.id ?? '',
    Gateway: onBridge?.ipv4?.gateway ?? '',
    GlobalIPv6Address: onBridge?.ipv6?.address ?? '',
    GlobalIPv6PrefixLen: onBridge?.ipv6?.prefix ?? 0,
    IPAddress: onBridge?.ipv4?.address ?? '',
    IPPrefixLen: onBridge?.ipv4?.prefix ?? 0,
    IPv6Gateway: onBridge?.ipv6?.gateway ?? '',
    MacAddress: onBridge?.macAddress ?? '',
    Networks: renderNetworks(container, apiMinor),
  }
}

/** Networks that the container is on, or, while it does not run, will be on. */
export function renderNetworks(
  container: ListedContainer,
  apiMinor: number,
): Record<string, EndpointSettings> {
  if (container.endpoints.length > 0 || isAlive(container.state)) {
    return sortedKeys(
      Object.fromEntries(
        container.endpoints.map((endpoint) => [
          endpoint.networkName,
          renderEndpoint(container, endpoint.networkName, endpoint, apiMinor),
        ]),
      ),
    )
  }
  const mode = container.hostConfig.NetworkMode ?? ''
  if (mode.startsWith('container:') || mode.startsWith('ns:')) return {}
  return Object.fromEntries(
    configuredNames(container).map((name) => [
      name,
      renderEndpoint(container, name, undefined, apiMinor),
    ]),
  )
}

function renderEndpoint(
  container: ContainerRecord,
  networkName: string,
  endpoint: Endpoint | undefined,
  apiMinor: number,
): EndpointSettings {
  const asked = container.networkingConfig.EndpointsConfig?.[networkName]
  const shortId = container.id.slice(0, 12)
  const isUserDefined = !['bridge', 'host', 'none', 'default'].includes(networkName)
  const aliases = asked?.Aliases ?? []
  return {
    IPAMConfig: asked?.IPAMConfig ?? null,
    Links: asked?.Links ?? null,
    // Until v1.44 the short id counts as an alias; DNSNames takes that over in v1.45.
    Aliases:
      apiMinor < 45 && isUserDefined
        ? [...aliases, shortId]
        : aliases.length === 0
          ? null
          : [...aliases],
    MacAddress: endpoint?.macAddress ?? asked?.MacAddress ?? '',
    DriverOpts: asked?.DriverOpts ?? null,
    ...(apiMinor >= 48 ? { GwPriority: asked?.GwPriority ?? 0 } : {}),
    NetworkID: endpoint?.networkId ?? '',
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.ipv4?.gateway ?? '',
    IPAddress: endpoint?.ipv4?.address ?? '',
    IPPrefixLen: endpoint?.ipv4?.prefix ?? 0,
    IPv6Gateway: endpoint?.ipv6?.gateway ?? '',
    GlobalIPv6Address: endpoint?.ipv6?.address ?? '',
    GlobalIPv6PrefixLen: endpoint?.ipv6?.prefix ?? 0,
    ...(apiMinor >= 44
      ? { DNSNames: isUserDefined ? [...new Set([container.name, ...aliases, shortId])] : null }
      : {}),
  }
}

/** Published ports, and exposed ones with null. */
export function renderPortMap(container: ListedContainer): Record<string, PortBinding[] | null> {
  // As dockerd: other drivers know of no ports.
  if (container.endpoints.every(({ driver }) => driver !== 'bridge')) return {}
  const map: Record<string, PortBinding[] | null> = {}
  for (const port of Object.keys(container.config.ExposedPorts ?? {}))
    map[withProtocol(port)] = null
  for (const { ports } of container.endpoints) {
    for (const port of ports) {
      const key = `${port.containerPort}/${port.protocol}`
      const hostPort = port.hostPort === 0 ? '' : String(port.hostPort)
      map[key] = [...(map[key] ?? []), { HostIp: port.hostIp, HostPort: hostPort }]
    }
  }
  return sortedKeys(map)
}

function withProtocol(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`
}
