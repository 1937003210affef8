import { ContainerConfig } from './container-config.ts'
import { HostConfig, PortBinding } from './host-config.ts'
import { EndpointSettings, NetworkingConfig } from './network-config.ts'
import { Nullable, type Static, StringMap, Strings, Type } from './schema.ts'

/** Body of `POST /containers/create`: a ContainerConfig with two more fields. */
export const ContainerCreate = Type.Partial({
  ...ContainerConfig.properties,
  HostConfig,
  NetworkingConfig,
})
export type ContainerCreate = Static<typeof ContainerCreate>

export const ContainerCreated = Type.Object({ Id: Type.String(), Warnings: Strings() })
export type ContainerCreated = Static<typeof ContainerCreated>

/** One resolved mount of a container. */
export const MountPoint = Type.Object({
  /** bind, volume, tmpfs, image. */
  Type: Type.String(),
  /** Volumes only. */
  Name: Type.Optional(Type.String()),
  Source: Type.String(),
  Destination: Type.String(),
  /** Volumes only. */
  Driver: Type.Optional(Type.String()),
  Mode: Type.String(),
  RW: Type.Boolean(),
  Propagation: Type.String(),
})
export type MountPoint = Static<typeof MountPoint>

const ContainerStatus = Type.Union([
  Type.Literal('created'),
  Type.Literal('running'),
  Type.Literal('paused'),
  Type.Literal('restarting'),
  Type.Literal('removing'),
  Type.Literal('exited'),
  Type.Literal('dead'),
])
export type ContainerStatus = Static<typeof ContainerStatus>

const HealthcheckResult = Type.Object({
  Start: Type.String(),
  End: Type.String(),
  ExitCode: Type.Integer(),
  Output: Type.String(),
})
export type HealthcheckResult = Static<typeof HealthcheckResult>

export const Health = Type.Object({
  /** none, starting, healthy, unhealthy. */
  Status: Type.String(),
  FailingStreak: Type.Integer(),
  Log: Nullable(Type.Array(HealthcheckResult)),
})
export type Health = Static<typeof Health>

/** `State` of an inspect. Times are RFC 3339 with nine digits; `0001-01-01T00:00:00Z` is never. */
export const ContainerState = Type.Object({
  Status: ContainerStatus,
  Running: Type.Boolean(),
  Paused: Type.Boolean(),
  Restarting: Type.Boolean(),
  OOMKilled: Type.Boolean(),
  Dead: Type.Boolean(),
  Pid: Type.Integer(),
  ExitCode: Type.Integer(),
  Error: Type.String(),
  StartedAt: Type.String(),
  FinishedAt: Type.String(),
  Health: Type.Optional(Health),
  /** Ours: a checkpoint has ended it. Absent: no. */
  Checkpointed: Type.Optional(Type.Boolean()),
  /** Ours, while it runs: when the process `Pid` began, in clock ticks since boot; tells it from a later one. */
  StartTicks: Type.Optional(Type.Integer()),
  /** Ours, while it runs: `mnt`, `pid`, … → `/proc/…`. */
  NamespacePaths: Type.Optional(StringMap()),
  /** Ours, while it runs: `memory`, …, `unified` → `/sys/fs/cgroup/…`. */
  CgroupPaths: Type.Optional(StringMap()),
})
export type ContainerState = Static<typeof ContainerState>

const GraphDriver = Type.Object({ Data: Nullable(StringMap()), Name: Type.String() })
export type GraphDriver = Static<typeof GraphDriver>

export const NetworkSettings = Type.Object({
  Bridge: Type.String(),
  SandboxID: Type.String(),
  SandboxKey: Type.String(),
  Ports: Type.Map(Nullable(Type.Array(PortBinding))),
  HairpinMode: Type.Boolean(),
  LinkLocalIPv6Address: Type.String(),
  LinkLocalIPv6PrefixLen: Type.Integer(),
  SecondaryIPAddresses: Type.Null(),
  SecondaryIPv6Addresses: Type.Null(),
  EndpointID: Type.String(),
  Gateway: Type.String(),
  GlobalIPv6Address: Type.String(),
  GlobalIPv6PrefixLen: Type.Integer(),
  IPAddress: Type.String(),
  IPPrefixLen: Type.Integer(),
  IPv6Gateway: Type.String(),
  MacAddress: Type.String(),
  Networks: Type.Map(EndpointSettings),
})
export type NetworkSettings = Static<typeof NetworkSettings>

export const ContainerInspect = Type.Object({
  Id: Type.String(),
  Created: Type.String(),
  Path: Type.String(),
  Args: Strings(),
  State: ContainerState,
  Image: Type.String(),
  ResolvConfPath: Type.String(),
  HostnamePath: Type.String(),
  HostsPath: Type.String(),
  LogPath: Type.String(),
  Name: Type.String(),
  RestartCount: Type.Integer(),
  Driver: Type.String(),
  Platform: Type.String(),
  MountLabel: Type.String(),
  ProcessLabel: Type.String(),
  AppArmorProfile: Type.String(),
  ExecIDs: Nullable(Strings()),
  HostConfig: HostConfig,
  GraphDriver,
  /** Only with `?size=1`. */
  SizeRw: Type.Optional(Type.Integer()),
  SizeRootFs: Type.Optional(Type.Integer()),
  Mounts: Type.Array(MountPoint),
  Config: ContainerConfig,
  NetworkSettings,
})
export type ContainerInspect = Static<typeof ContainerInspect>

export const Port = Type.Object({
  IP: Type.Optional(Type.String()),
  PrivatePort: Type.Integer(),
  PublicPort: Type.Optional(Type.Integer()),
  Type: Type.String(),
})
export type Port = Static<typeof Port>

/** One row of `GET /containers/json`. */
export const ContainerSummary = Type.Object({
  Id: Type.String(),
  Names: Strings(),
  Image: Type.String(),
  ImageID: Type.String(),
  Command: Type.String(),
  /** Unix seconds. */
  Created: Type.Integer(),
  Ports: Type.Array(Port),
  SizeRw: Type.Optional(Type.Integer()),
  SizeRootFs: Type.Optional(Type.Integer()),
  Labels: StringMap(),
  State: ContainerStatus,
  Status: Type.String(),
  HostConfig: Type.Object({
    NetworkMode: Type.String(),
    Annotations: Type.Optional(StringMap()),
  }),
  NetworkSettings: Type.Object({ Networks: Type.Map(EndpointSettings) }),
  Mounts: Type.Array(MountPoint),
})
export type ContainerSummary = Static<typeof ContainerSummary>

export const WaitResponse = Type.Object({
  StatusCode: Type.Integer(),
  Error: Type.Optional(Nullable(Type.Object({ Message: Type.String() }))),
})
export type WaitResponse = Static<typeof WaitResponse>

/** How a run ended: either the container did, or it could not be started. */
export const RunReport = Type.Object({
  Exit: Type.Optional(WaitResponse),
  /** What the start would have been answered with. */
  Failure: Type.Optional(Type.Object({ Status: Type.Integer(), Message: Type.String() })),
  /** Only if `timing` was asked for. `AtUs`: Unix time in microseconds when the phase was over. */
  Phases: Type.Optional(Type.Array(Type.Object({ Name: Type.String(), AtUs: Type.Integer() }))),
})
export type RunReport = Static<typeof RunReport>

export const ContainerTop = Type.Object({
  Titles: Strings(),
  Processes: Type.Array(Strings()),
})
export type ContainerTop = Static<typeof ContainerTop>

/** Kind: 0 modified, 1 added, 2 deleted. */
export const FilesystemChange = Type.Object({ Path: Type.String(), Kind: Type.Integer() })
export type FilesystemChange = Static<typeof FilesystemChange>

export const ContainerUpdated = Type.Object({ Warnings: Nullable(Strings()) })
export type ContainerUpdated = Static<typeof ContainerUpdated>

export const ContainersPruned = Type.Object({
  ContainersDeleted: Nullable(Strings()),
  SpaceReclaimed: Type.Integer(),
})
export type ContainersPruned = Static<typeof ContainersPruned>

/** `X-Docker-Container-Path-Stat`: base64 of this as JSON. `mode` holds Go's os.FileMode bits. */
export const PathStat = Type.Object({
  name: Type.String(),
  size: Type.Integer(),
  mode: Type.Integer(),
  mtime: Type.String(),
  linkTarget: Type.String(),
})
export type PathStat = Static<typeof PathStat>
