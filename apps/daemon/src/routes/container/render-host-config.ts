import type { HostConfig } from '@ctr/api'

/** What dockerd shows for fields that were not given. Order as in its answers. */
const DEFAULTS = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: { Type: 'json-file', Config: {} },
  NetworkMode: 'default',
  PortBindings: null,
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: 'host',
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: 64 * 1024 * 1024,
  Runtime: 'ctr',
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
} as const

/** Go's omitempty: shown only when there is something. */
const SHOWN_IF_GIVEN = [
  'Mounts',
  'Annotations',
  'StorageOpt',
  'Tmpfs',
  'Sysctls',
  'Init',
  // Not in Docker.
  'HealthOnFailure',
  'Requires',
  'RunTimeout',
  'Rootfs',
  'CgroupConf',
  'UidMap',
  'GidMap',
  'Secrets',
] as const

export function renderHostConfig(given: HostConfig, apiMinor: number): HostConfig {
  const shown: Record<string, unknown> = { ...DEFAULTS }
  for (const key of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    if (given[key] !== undefined) shown[key] = given[key]
  }
  shown['LogConfig'] = { ...DEFAULTS.LogConfig, ...withoutEmpty(given.LogConfig) }
  shown['RestartPolicy'] = { ...DEFAULTS.RestartPolicy, ...withoutEmpty(given.RestartPolicy) }
  for (const key of ['NetworkMode', 'CgroupnsMode', 'IpcMode', 'Runtime', 'ShmSize'] as const) {
    shown[key] = given[key] || DEFAULTS[key]
  }
  shown['PortBindings'] = completePorts(given.PortBindings)
  if (given.DeviceRequests?.length) {
    shown['DeviceRequests'] = given.DeviceRequests.map((one) => ({ ...NO_DEVICES, ...one }))
  }
  for (const key of SHOWN_IF_GIVEN) {
    if (isSomething(given[key]) && (key !== 'Annotations' || apiMinor >= 43))
      shown[key] = given[key]
  }
  // Gone in v1.42.
  if (apiMinor < 42) {
    shown['KernelMemory'] = given.KernelMemory ?? 0
    shown['KernelMemoryTCP'] = given.KernelMemoryTCP ?? 0
  }
  return shown as HostConfig
}

const NO_DEVICES = { Driver: '', Count: 0, DeviceIDs: null, Capabilities: null, Options: null }

/** Every binding with both of its fields. */
function completePorts(ports: HostConfig['PortBindings']): unknown {
  if (ports === undefined || ports === null) return DEFAULTS.PortBindings
  return Object.fromEntries(
    Object.entries(ports).map(([port, bindings]) => [
      port,
      bindings?.map((binding) => ({ HostIp: '', HostPort: '', ...binding })) ?? null,
    ]),
  )
}

function withoutEmpty(object: object | undefined): object {
  return Object.fromEntries(Object.entries(object ?? {}).filter(([, value]) => value !== ''))
}

function isSomething(value: unknown): boolean {
  if (value === undefined || value === null) return false
  return typeof value !== 'object' || Object.keys(value).length > 0
}
