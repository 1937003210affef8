import type { ContainerConfig, ContainerCreate, HealthConfig, HostConfig } from '@ctr/api'
import { parseBytes, parseSwap } from './bytes.ts'
import { capabilityChanges } from './capabilities.ts'
import type { ClientMachine } from './client-machine.ts'
import { parseCpus } from './cpus.ts'
import {
  isCdiDevice,
  parseDevice,
  parseGpus,
  parseThrottleBps,
  parseThrottleIops,
  parseWeightDevice,
} from './device.ts'
import { parseDuration } from './duration.ts'
import { keyValueMap, readEnvironment, readLabels } from './environment.ts'
import { hostExtensionsOf, restartDelayOf } from './extension-flags.ts'
import type { FlagValues } from './flag.ts'
import { checkMacAddress, parseExtraHost } from './hosts.ts'
import { parseMount } from './mount.ts'
import { isUserDefined, networkEndpoints } from './network.ts'
import { parsePublishedPorts } from './ports.ts'
import { hasRestartPolicy, parseRestartPolicy } from './restart.ts'
import { parseSecurityOptions } from './security.ts'
import { parseUlimits } from './ulimit.ts'
import { parseVolume } from './volume.ts'

/** What the user asked for, as the API wants it. */
export interface ContainerRequest {
  readonly name: string | undefined
  readonly platform: string | undefined
  /** A container of the same name goes first. */
  readonly replace: boolean
  readonly body: ContainerCreate & { readonly HostConfig: HostConfig }
}

export interface RequestInput {
  readonly flags: FlagValues
  /** Image, command, arguments. */
  readonly args: readonly string[]
  readonly machine: ClientMachine
  /** Of the client (`DOCKER_DEFAULT_PLATFORM`), when no option names one. */
  readonly defaultPlatform: string | undefined
  /** `[rows, columns]` of the client's terminal. */
  readonly consoleSize: readonly [number, number] | undefined
  /** `run -d` attaches nothing. */
  readonly isDetached: boolean
}

/**
 * Options to a create request (docker/cli container/opts.go, parse). Pure, but for what it asks of `machine`.
 * Throws an Error with Docker's text.
 */
export function containerRequest(input: RequestInput): ContainerRequest {
  const { flags, machine } = input
  const macAddress = flags.string('mac-address')
  if (macAddress !== '') checkMacAddress(macAddress)
  const volumes = parseVolumes(flags.list('volume'), machine)
  const config = containerConfig(input, volumes.anonymous)
  const hostConfig = hostConfigOf(input, volumes.binds)
  const { mode, endpoints } = networkEndpoints(flags.list('network'), {
    aliases: flags.list('network-alias'),
    links: flags.list('link'),
    ip: flags.string('ip'),
    ip6: flags.string('ip6'),
    linkLocalIps: flags.list('link-local-ip'),
    macAddress,
  })
  if (flags.bool('rm') && hasRestartPolicy(hostConfig.RestartPolicy ?? {})) {
    throw new Error('conflicting options: cannot specify both --restart and --rm')
  }
  const links = isUserDefined(mode) ? [] : [...flags.list('link')]
  return {
    name: flags.string('name') || undefined,
    platform: flags.string('platform') || input.defaultPlatform || undefined,
    replace: flags.bool('replace'),
    body: {
      ...config,
      ...(macAddress === '' ? {} : { MacAddress: macAddress }),
      HostConfig: withoutEmptyLists(
        { ...hostConfig, NetworkMode: mode, Links: links },
        flags.isSet('security-opt') ? ['SecurityOpt'] : [],
      ),
      NetworkingConfig: { EndpointsConfig: endpoints },
    },
  }
}

function containerConfig(
  { flags, args, machine, isDetached }: RequestInput,
  anonymousVolumes: Record<string, Record<string, never>>,
): ContainerConfig {
  const attach = new Set(flags.list('attach').map((stream) => stream.toLowerCase()))
  const attachAll = attach.size === 0
  const isInteractive = flags.bool('interactive')
  const attachStdin = !isDetached && (isInteractive || attach.has('stdin'))
  const hasImage = !flags.isSet('rootfs')
  const image = hasImage ? (args[0] ?? '') : ''
  const command = hasImage ? args.slice(1) : [...args]
  const { exposed } = parsePublishedPorts(flags.list('publish'), flags.list('expose'))
  const entrypoint = flags.optional('entrypoint')
  const healthcheck = parseHealthcheck(flags)
  return {
    Hostname: flags.string('hostname'),
    Domainname: flags.string('domainname'),
    User: flags.string('user'),
    AttachStdin: attachStdin,
    AttachStdout: !isDetached && (attachAll || attach.has('stdout')),
    AttachStderr: !isDetached && (attachAll || attach.has('stderr')),
    ExposedPorts: exposed,
    Tty: flags.bool('tty'),
    OpenStdin: isInteractive,
    StdinOnce: isInteractive && attachStdin,
    Env: readEnvironment(flags.list('env-file'), flags.list('env'), machine),
    ...(command.length === 0 ? {} : { Cmd: command }),
    ...(entrypoint === undefined ? {} : { Entrypoint: [entrypoint] }),
    Image: image,
    Volumes: anonymousVolumes,
    WorkingDir: flags.string('workdir'),
    Labels: readLabels(flags.list('label-file'), flags.list('label'), machine),
    ...(flags.isSet('stop-signal') ? { StopSignal: flags.string('stop-signal') } : {}),
    ...(flags.isSet('stop-timeout') ? { StopTimeout: flags.int('stop-timeout') ?? 0 } : {}),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
  }
}

function hostConfigOf(input: RequestInput, binds: string[]): HostConfig {
  const { flags, machine, consoleSize } = input
  const security = parseSecurityOptions(flags.list('security-opt'), machine)
  const capabilities = capabilityChanges(flags.list('cap-add'), flags.list('cap-drop'))
  return {
    ...resources(flags),
    Binds: binds,
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: logConfig(flags),
    PortBindings: parsePublishedPorts(flags.list('publish'), []).bindings,
    PublishAllPorts: flags.bool('publish-all'),
    RestartPolicy: { ...parseRestartPolicy(flags.string('restart')), ...restartDelayOf(flags) },
    AutoRemove: flags.bool('rm'),
    VolumeDriver: flags.string('volume-driver'),
    VolumesFrom: [...flags.list('volumes-from')],
    Mounts: flags.list('mount').map((mount) => parseMount(mount, machine)),
    ConsoleSize: [...(consoleSize ?? [0, 0])],
    ...(flags.isSet('annotation') ? { Annotations: keyValueMap(flags.list('annotation')) } : {}),
    CapAdd: capabilities.add,
    CapDrop: capabilities.drop,
    CgroupnsMode: mode('cgroupns', 'CGROUP', flags, /^(host|private)?$/),
    Dns: flags.list('dns').map((address) => address.trim()),
    DnsOptions: [...flags.list('dns-option')],
    DnsSearch: flags.list('dns-search').map((domain) => domain.trim()),
    ExtraHosts: flags.list('add-host').map(parseExtraHost),
    GroupAdd: [...flags.list('group-add')],
    IpcMode: flags.string('ipc'),
    OomScoreAdj: flags.int('oom-score-adj') ?? 0,
    PidMode: mode('pid', 'PID', flags, /^(host|container:.+|ns:\/.+)?$/),
    Privileged: flags.bool('privileged'),
    ReadonlyRootfs: flags.bool('read-only'),
    SecurityOpt: security.options,
    ...(security.systemPaths === undefined
      ? {}
      : { MaskedPaths: security.systemPaths, ReadonlyPaths: security.systemPaths }),
    StorageOpt: storageOptions(flags.list('storage-opt')),
    Tmpfs: tmpfs(flags.list('tmpfs')),
    UTSMode: mode('uts', 'UTS', flags, /^(host|ns:\/.+)?$/),
    // Docker knows `host`; the others are Podman's.
    UsernsMode: mode('userns', 'USER', flags, /^(host|keep-id|map|auto(:size=\d+)?)?$/),
    ShmSize: bytes(flags, 'shm-size'),
    Sysctls: keyValueMap(flags.list('sysctl')),
    Runtime: flags.string('runtime'),
    Isolation: flags.string('isolation'),
    ...(flags.isSet('init') ? { Init: flags.bool('init') } : {}),
    ...hostExtensionsOf(flags, machine),
  }
}

/** Lists that Docker's CLI sends as null when there is nothing in them; inspect shows them so. */
const NULL_WHEN_EMPTY = [
  'CapAdd',
  'CapDrop',
  'DeviceCgroupRules',
  'DeviceRequests',
  'ExtraHosts',
  'GroupAdd',
  'Links',
  'SecurityOpt',
  'VolumesFrom',
] as const

function withoutEmptyLists(config: HostConfig, given: readonly string[]): HostConfig {
  const kept = { ...config }
  for (const name of NULL_WHEN_EMPTY) {
    if (config[name]?.length === 0 && !given.includes(name)) delete kept[name]
  }
  return kept
}

function resources(flags: FlagValues): HostConfig {
  const swappiness = flags.int('memory-swappiness') ?? -1
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw new Error(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`)
  }
  const devices = flags.list('device')
  const cdi = devices.filter(isCdiDevice)
  const requests = flags.list('gpus').map(parseGpus)
  if (cdi.length > 0) requests.push({ Driver: 'cdi', DeviceIDs: cdi })
  return {
    CgroupParent: flags.string('cgroup-parent'),
    Memory: bytes(flags, 'memory'),
    MemoryReservation: bytes(flags, 'memory-reservation'),
    MemorySwap: flags.isSet('memory-swap') ? parseSwap(flags.string('memory-swap')) : 0,
    MemorySwappiness: swappiness,
    KernelMemory: bytes(flags, 'kernel-memory'),
    OomKillDisable: flags.bool('oom-kill-disable'),
    NanoCpus: flags.isSet('cpus') ? parseCpus(flags.string('cpus')) : 0,
    CpuShares: flags.int('cpu-shares') ?? 0,
    CpuPeriod: flags.int('cpu-period') ?? 0,
    CpuQuota: flags.int('cpu-quota') ?? 0,
    CpuRealtimePeriod: flags.int('cpu-rt-period') ?? 0,
    CpuRealtimeRuntime: flags.int('cpu-rt-runtime') ?? 0,
    CpusetCpus: flags.string('cpuset-cpus'),
    CpusetMems: flags.string('cpuset-mems'),
    PidsLimit: flags.int('pids-limit') ?? 0,
    BlkioWeight: flags.int('blkio-weight') ?? 0,
    BlkioWeightDevice: flags.list('blkio-weight-device').map(parseWeightDevice),
    BlkioDeviceReadBps: flags.list('device-read-bps').map(parseThrottleBps),
    BlkioDeviceWriteBps: flags.list('device-write-bps').map(parseThrottleBps),
    BlkioDeviceReadIOps: flags.list('device-read-iops').map(parseThrottleIops),
    BlkioDeviceWriteIOps: flags.list('device-write-iops').map(parseThrottleIops),
    Ulimits: parseUlimits(flags.list('ulimit')),
    DeviceCgroupRules: [...flags.list('device-cgroup-rule')],
    Devices: devices.filter((device) => !isCdiDevice(device)).map(parseDevice),
    DeviceRequests: requests,
  }
}

function bytes(flags: FlagValues, name: string): number {
  return flags.isSet(name) ? parseBytes(flags.string(name)) : 0
}

function parseVolumes(
  specs: readonly string[],
  machine: ClientMachine,
): {
  anonymous: Record<string, Record<string, never>>
  binds: string[]
} {
  const anonymous: Record<string, Record<string, never>> = {}
  const binds: string[] = []
  for (const spec of new Set(specs)) {
    const volume = parseVolume(spec, machine)
    if (volume.kind === 'bind') binds.push(volume.bind)
    else anonymous[volume.target] = {}
  }
  return { anonymous, binds }
}

function parseHealthcheck(flags: FlagValues): HealthConfig | undefined {
  const durations = ['interval', 'timeout', 'start-period', 'start-interval'] as const
  const hasSettings =
    flags.string('health-cmd') !== '' ||
    (flags.int('health-retries') ?? 0) !== 0 ||
    durations.some((name) => parseDuration(flags.string(`health-${name}`) || '0') !== 0)
  if (flags.bool('no-healthcheck')) {
    if (hasSettings) throw new Error('--no-healthcheck conflicts with --health-* options')
    return { Test: ['NONE'] }
  }
  if (!hasSettings) return undefined
  const [Interval = 0, Timeout = 0, StartPeriod = 0, StartInterval = 0] = durations.map((name) => {
    const value = flags.isSet(`health-${name}`) ? parseDuration(flags.string(`health-${name}`)) : 0
    if (value < 0) throw new Error(`--health-${name} cannot be negative`)
    return value
  })
  const retries = flags.int('health-retries') ?? 0
  if (retries < 0) throw new Error('--health-retries cannot be negative')
  const command = flags.string('health-cmd')
  return {
    ...(command === '' ? {} : { Test: ['CMD-SHELL', command] }),
    Interval,
    Timeout,
    StartPeriod,
    ...(StartInterval === 0 ? {} : { StartInterval }),
    Retries: retries,
  }
}

function logConfig(flags: FlagValues): NonNullable<HostConfig['LogConfig']> {
  const driver = flags.string('log-driver')
  const options = flags.list('log-opt')
  if (driver === 'none' && options.length > 0)
    throw new Error('invalid logging opts for driver none')
  return { Type: driver, Config: keyValueMap(options) }
}

function storageOptions(values: readonly string[]): Record<string, string> {
  if (values.some((value) => !value.includes('='))) throw new Error('invalid storage option')
  return keyValueMap(values)
}

/** `/run:size=64m,mode=1777` */
function tmpfs(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const colon = value.indexOf(':')
      return colon < 0 ? [value, ''] : [value.slice(0, colon), value.slice(colon + 1)]
    }),
  )
}

function mode(flag: string, word: string, flags: FlagValues, pattern: RegExp): string {
  const value = flags.string(flag)
  if (!pattern.test(value)) throw new Error(`--${flag}: invalid ${word} mode`)
  return value
}
