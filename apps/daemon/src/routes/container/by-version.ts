import type { ContainerConfig, HostConfig, Mount, NetworkingConfig } from '@ctr/api'
import { type EngineError, invalid } from '@ctr/errdefs'

/** The parts of the body of `POST /containers/create`. */
export interface CreateParts {
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly networkingConfig: NetworkingConfig | undefined
}

/**
 * What a client of this version means by its request: fields that it cannot know are dropped or refused, defaults are those of its
 * time. moby api/server/router/container/container_routes.go postContainersCreate. INVALID_ARGUMENT.
 */
export function meantBy(apiMinor: number, given: CreateParts): CreateParts {
  const { networkingConfig } = given
  return {
    config: configOf(apiMinor, given.config),
    hostConfig: hostConfigOf(apiMinor, given.hostConfig),
    networkingConfig:
      networkingConfig === undefined ? undefined : networkingOf(apiMinor, given, networkingConfig),
  }
}

function configOf(apiMinor: number, config: ContainerConfig): ContainerConfig {
  const { Healthcheck } = config
  if (apiMinor >= 44 || Healthcheck?.StartInterval === undefined) return config
  const { StartInterval: _, ...older } = Healthcheck
  return { ...config, Healthcheck: older }
}

/** Fields that have not been there always: versions before and after are taken not to have said them. */
const FIELDS: readonly Field[] = [
  // Until v1.24 it was the client that removed.
  { name: 'AutoRemove', since: 25 },
  { name: 'KernelMemoryTCP', since: 40 },
  { name: 'KernelMemory', until: 41 },
  { name: 'ConsoleSize', since: 42 },
  { name: 'Annotations', since: 43 },
]

function hostConfigOf(apiMinor: number, given: HostConfig): HostConfig {
  const { Mounts } = given
  const known: HostConfig = {
    ...given,
    ...(Mounts ? { Mounts: Mounts.map((mount) => mountOf(apiMinor, mount)) } : {}),
    // Before v1.40 others could join without having been invited.
    ...(apiMinor < 40 && !given.IpcMode ? { IpcMode: 'shareable' } : {}),
  }
  for (const { name, since = 0, until = Infinity } of FIELDS) {
    if (apiMinor < since || apiMinor > until) delete known[name]
  }
  return known
}

interface Field {
  readonly name: keyof HostConfig
  readonly since?: number
  readonly until?: number
}

const OPTIONS_OF = { VolumeOptions: 'volume', BindOptions: 'bind', TmpfsOptions: 'tmpfs' } as const

function mountOf(apiMinor: number, mount: Mount): Mount {
  const { BindOptions, VolumeOptions, Type } = mount
  if (apiMinor < 44 && BindOptions?.ReadOnlyForceRecursive === true) {
    throw needs('BindOptions.ReadOnlyForceRecursive', 44)
  }
  if (apiMinor < 45 && (VolumeOptions?.Subpath ?? '') !== '') {
    throw needs('VolumeOptions.Subpath', 45)
  }
  if (apiMinor < 48 && Type === 'image') throw needs('Mount type "Image"', 48)
  const foreign = (Object.keys(OPTIONS_OF) as (keyof typeof OPTIONS_OF)[]).filter(
    (name) => mount[name] !== undefined && mount[name] !== null && OPTIONS_OF[name] !== Type,
  )
  if (apiMinor >= 42) {
    const [first] = foreign
    if (first === undefined) return mount
    throw invalid(`${first} must not be specified on mount type ${JSON.stringify(Type ?? '')}`)
  }
  // What dockerd did not look at before v1.42; later fields of the options were not there.
  const ignored = Type === 'tmpfs' ? ['VolumeOptions'] : ['TmpfsOptions']
  const older = Object.fromEntries(
    Object.entries(mount).filter(([name]) => !ignored.includes(name)),
  ) as Mount
  return older.BindOptions === undefined || older.BindOptions === null
    ? older
    : { ...older, BindOptions: bindOptionsOf(apiMinor, older.BindOptions) }
}

function bindOptionsOf(apiMinor: number, options: NonNullable<Mount['BindOptions']>) {
  const { CreateMountpoint: _, NonRecursive, ...older } = options
  return apiMinor < 40 || NonRecursive === undefined ? older : { ...older, NonRecursive }
}

function networkingOf(
  apiMinor: number,
  { config }: CreateParts,
  given: NetworkingConfig,
): NetworkingConfig {
  const endpoints = Object.entries(given.EndpointsConfig ?? {})
  if (apiMinor < 44 && endpoints.length > 1) {
    const names = endpoints.map(([name]) => name).join(', ')
    throw invalid(`Container cannot be created with multiple network endpoints: ${names}`)
  }
  if (given.EndpointsConfig === undefined) return given
  return {
    ...given,
    EndpointsConfig: Object.fromEntries(
      endpoints.map(([name, endpoint]) => {
        // moby daemon/container_operations.go verifyNetworkingConfig
        if (endpoint === null) throw invalid(`no EndpointSettings for ${name}`)
        const { GwPriority, MacAddress, ...older } = endpoint
        return [
          name,
          {
            ...older,
            // An endpoint's own address is of v1.44: before, it is the container's or nothing.
            ...(MacAddress === undefined || (apiMinor < 44 && !config.MacAddress)
              ? {}
              : { MacAddress: apiMinor < 44 ? (config.MacAddress ?? '') : MacAddress }),
            ...(GwPriority === undefined || apiMinor < 48 ? {} : { GwPriority }),
          },
        ]
      }),
    ),
  }
}

const MAC_WARNING =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.'
const VOLUME_DRIVER_WARNING =
  "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. Use '--mount type=volume,volume-driver=...' instead"

/** What a client of this version is told about fields that have a better place. INVALID_ARGUMENT for two different addresses. */
export function warningsOf(apiMinor: number, given: CreateParts): string[] {
  const { config, hostConfig, networkingConfig } = given
  const warnings: string[] = []
  const address = config.MacAddress ?? ''
  if (apiMinor >= 44 && address !== '') {
    const endpoints = Object.values(networkingConfig?.EndpointsConfig ?? {})
    const own = endpoints.map((endpoint) => endpoint?.MacAddress ?? '').filter(Boolean)
    if (own.length === 1 && own[0] !== address) {
      throw invalid(
        'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
      )
    }
    // A client that says both knows the newer way.
    if (own.length === 0) warnings.push(MAC_WARNING)
  }
  const hasVolume = (hostConfig.Mounts ?? []).some(
    ({ Type, VolumeOptions }) => Type === 'volume' && !VolumeOptions?.DriverConfig?.Name,
  )
  if (apiMinor >= 48 && hostConfig.VolumeDriver && hasVolume) warnings.push(VOLUME_DRIVER_WARNING)
  return warnings
}

function needs(what: string, minor: number): EngineError {
  return invalid(`${what} needs API v1.${minor} or newer`)
}
