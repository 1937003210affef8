import { hostExtensions, restartExtensions } from './extensions.ts'
import { type Static, StringMap, StringOrStrings, Strings, Type } from './schema.ts'

export const PortBinding = Type.Partial({
  HostIp: Type.String(),
  /** A port, a range `8000-8010`, or empty for one of the daemon's choice. */
  HostPort: Type.String(),
})
export type PortBinding = Static<typeof PortBinding>

/** Keys are `80/tcp`. */
export const PortMap = Type.Map(Type.Array(PortBinding))
export type PortMap = Static<typeof PortMap>

export const RestartPolicy = Type.Partial({
  /** `''` and `no`, `always`, `unless-stopped`, `on-failure`. */
  Name: Type.String(),
  MaximumRetryCount: Type.Integer(),
  ...restartExtensions,
})
export type RestartPolicy = Static<typeof RestartPolicy>

const LogConfig = Type.Partial({ Type: Type.String(), Config: StringMap() })
export type LogConfig = Static<typeof LogConfig>

export const Ulimit = Type.Partial({
  Name: Type.String(),
  Soft: Type.Integer(),
  Hard: Type.Integer(),
})
export type Ulimit = Static<typeof Ulimit>

export const DeviceMapping = Type.Partial({
  PathOnHost: Type.String(),
  PathInContainer: Type.String(),
  CgroupPermissions: Type.String(),
})
export type DeviceMapping = Static<typeof DeviceMapping>

export const DeviceRequest = Type.Partial({
  Driver: Type.String(),
  Count: Type.Integer(),
  DeviceIDs: Strings(),
  Capabilities: Type.Array(Strings()),
  Options: StringMap(),
})
export type DeviceRequest = Static<typeof DeviceRequest>

export const WeightDevice = Type.Partial({ Path: Type.String(), Weight: Type.Unsigned() })
export type WeightDevice = Static<typeof WeightDevice>

export const ThrottleDevice = Type.Partial({ Path: Type.String(), Rate: Type.Unsigned() })
export type ThrottleDevice = Static<typeof ThrottleDevice>

/** `HostConfig.Mounts`: the structured form of `-v`. */
export const Mount = Type.Partial({
  /** bind, volume, tmpfs, image (npipe and cluster are refused). */
  Type: Type.String(),
  Source: Type.String(),
  Target: Type.String(),
  ReadOnly: Type.Boolean(),
  Consistency: Type.String(),
  BindOptions: Type.Partial({
    Propagation: Type.String(),
    NonRecursive: Type.Boolean(),
    CreateMountpoint: Type.Boolean(),
    ReadOnlyNonRecursive: Type.Boolean(),
    ReadOnlyForceRecursive: Type.Boolean(),
  }),
  VolumeOptions: Type.Partial({
    NoCopy: Type.Boolean(),
    Labels: StringMap(),
    Subpath: Type.String(),
    DriverConfig: Type.Partial({ Name: Type.String(), Options: StringMap() }),
  }),
  ImageOptions: Type.Partial({ Subpath: Type.String() }),
  TmpfsOptions: Type.Partial({
    SizeBytes: Type.Integer(),
    Mode: Type.Integer(),
    Options: Type.Array(Strings()),
  }),
})
export type Mount = Static<typeof Mount>

/** Limits; 0 or absent means none. These (and RestartPolicy) are what `update` may change. */
const resources = {
  CpuShares: Type.Integer(),
  /** Bytes. */
  Memory: Type.Integer(),
  /** 10⁻⁹ CPUs. */
  NanoCpus: Type.Integer(),
  CgroupParent: Type.String(),
  BlkioWeight: Type.Integer(),
  BlkioWeightDevice: Type.Array(WeightDevice),
  BlkioDeviceReadBps: Type.Array(ThrottleDevice),
  BlkioDeviceWriteBps: Type.Array(ThrottleDevice),
  BlkioDeviceReadIOps: Type.Array(ThrottleDevice),
  BlkioDeviceWriteIOps: Type.Array(ThrottleDevice),
  /** Microseconds. */
  CpuPeriod: Type.Integer(),
  CpuQuota: Type.Integer(),
  CpuRealtimePeriod: Type.Integer(),
  CpuRealtimeRuntime: Type.Integer(),
  CpusetCpus: Type.String(),
  CpusetMems: Type.String(),
  Devices: Type.Array(DeviceMapping),
  DeviceCgroupRules: Strings(),
  DeviceRequests: Type.Array(DeviceRequest),
  /** Accepted and ignored (gone in API 1.42). */
  KernelMemory: Type.Integer(),
  KernelMemoryTCP: Type.Integer(),
  MemoryReservation: Type.Integer(),
  /** Memory plus swap; -1 unlimited, 0 twice the memory. */
  MemorySwap: Type.Integer(),
  /** 0–100; absent or -1 leaves the kernel's. */
  MemorySwappiness: Type.Integer(),
  OomKillDisable: Type.Boolean(),
  /** 0 or -1 unlimited; absent unchanged. */
  PidsLimit: Type.Integer(),
  Ulimits: Type.Array(Ulimit),
  // Windows only: accepted and ignored.
  CpuCount: Type.Integer(),
  CpuPercent: Type.Integer(),
  IOMaximumIOps: Type.Integer(),
  IOMaximumBandwidth: Type.Integer(),
} as const

export const Resources = Type.Partial(resources)
export type Resources = Static<typeof Resources>

/** The half of a container that depends on this host. */
export const HostConfig = Type.Partial({
  ...resources,
  Binds: Strings(),
  ContainerIDFile: Type.String(),
  LogConfig,
  /** `''` and `default` mean bridge. */
  NetworkMode: Type.String(),
  PortBindings: PortMap,
  RestartPolicy,
  AutoRemove: Type.Boolean(),
  VolumeDriver: Type.String(),
  VolumesFrom: Strings(),
  Mounts: Type.Array(Mount),
  /** `[height, width]` of the first terminal. */
  ConsoleSize: Type.Array(Type.Unsigned()),
  Annotations: StringMap(),
  CapAdd: StringOrStrings(),
  CapDrop: StringOrStrings(),
  CgroupnsMode: Type.String(),
  Cgroup: Type.String(),
  Dns: Strings(),
  DnsOptions: Strings(),
  DnsSearch: Strings(),
  ExtraHosts: Strings(),
  GroupAdd: Strings(),
  IpcMode: Type.String(),
  Links: Strings(),
  OomScoreAdj: Type.Integer(),
  PidMode: Type.String(),
  Privileged: Type.Boolean(),
  PublishAllPorts: Type.Boolean(),
  ReadonlyRootfs: Type.Boolean(),
  SecurityOpt: Strings(),
  StorageOpt: StringMap(),
  /** Target → options. */
  Tmpfs: StringMap(),
  UTSMode: Type.String(),
  UsernsMode: Type.String(),
  /** Bytes; 0 means 64 MiB. */
  ShmSize: Type.Integer(),
  Sysctls: StringMap(),
  Runtime: Type.String(),
  Isolation: Type.String(),
  Init: Type.Boolean(),
  /** Absent: Docker's defaults. `[]`: none. */
  MaskedPaths: Strings(),
  ReadonlyPaths: Strings(),
  ...hostExtensions,
})
export type HostConfig = Static<typeof HostConfig>

export const ContainerUpdate = Type.Partial({ ...resources, RestartPolicy })
export type ContainerUpdate = Static<typeof ContainerUpdate>
