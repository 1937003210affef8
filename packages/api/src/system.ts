import { ContainerSummary } from './container.ts'
import { ImageSummary } from './image.ts'
import { Nullable, type Static, StringMap, Strings, Type } from './schema.ts'
import { Volume } from './volume.ts'

export const ErrorResponse = Type.Object({ message: Type.String() })
export type ErrorResponse = Static<typeof ErrorResponse>

export const SystemVersion = Type.Object({
  Platform: Type.Object({ Name: Type.String() }),
  Components: Type.Array(
    Type.Object({
      Name: Type.String(),
      Version: Type.String(),
      Details: StringMap(),
    }),
  ),
  Version: Type.String(),
  ApiVersion: Type.String(),
  MinAPIVersion: Type.String(),
  GitCommit: Type.String(),
  GoVersion: Type.String(),
  Os: Type.String(),
  Arch: Type.String(),
  KernelVersion: Type.String(),
  Experimental: Type.Optional(Type.Boolean()),
  BuildTime: Type.String(),
})
export type SystemVersion = Static<typeof SystemVersion>

export const SystemInfo = Type.Object({
  ID: Type.String(),
  Containers: Type.Integer(),
  ContainersRunning: Type.Integer(),
  ContainersPaused: Type.Integer(),
  ContainersStopped: Type.Integer(),
  Images: Type.Integer(),
  Driver: Type.String(),
  DriverStatus: Type.Array(Strings()),
  Plugins: Type.Object({
    Volume: Strings(),
    Network: Strings(),
    Authorization: Nullable(Strings()),
    Log: Strings(),
  }),
  MemoryLimit: Type.Boolean(),
  SwapLimit: Type.Boolean(),
  /** Until v1.41. */
  KernelMemory: Type.Optional(Type.Boolean()),
  KernelMemoryTCP: Type.Optional(Type.Boolean()),
  CpuCfsPeriod: Type.Boolean(),
  CpuCfsQuota: Type.Boolean(),
  CPUShares: Type.Boolean(),
  CPUSet: Type.Boolean(),
  PidsLimit: Type.Boolean(),
  IPv4Forwarding: Type.Boolean(),
  /** Until v1.49. */
  BridgeNfIptables: Type.Optional(Type.Boolean()),
  BridgeNfIp6tables: Type.Optional(Type.Boolean()),
  Debug: Type.Boolean(),
  NFd: Type.Integer(),
  OomKillDisable: Type.Boolean(),
  NGoroutines: Type.Integer(),
  SystemTime: Type.String(),
  LoggingDriver: Type.String(),
  CgroupDriver: Type.String(),
  CgroupVersion: Type.String(),
  NEventsListener: Type.Integer(),
  KernelVersion: Type.String(),
  OperatingSystem: Type.String(),
  OSVersion: Type.String(),
  OSType: Type.String(),
  Architecture: Type.String(),
  IndexServerAddress: Type.String(),
  RegistryConfig: Type.Object({
    /** Until v1.48 as lists that are always null. */
    AllowNondistributableArtifactsCIDRs: Type.Optional(Nullable(Strings())),
    AllowNondistributableArtifactsHostnames: Type.Optional(Nullable(Strings())),
    InsecureRegistryCIDRs: Strings(),
    IndexConfigs: Type.Map(
      Type.Object({
        Name: Type.String(),
        Mirrors: Strings(),
        Secure: Type.Boolean(),
        Official: Type.Boolean(),
      }),
    ),
    Mirrors: Strings(),
  }),
  NCPU: Type.Integer(),
  MemTotal: Type.Integer(),
  GenericResources: Type.Null(),
  DefaultAddressPools: Type.Optional(
    Type.Array(Type.Object({ Base: Type.String(), Size: Type.Integer() })),
  ),
  DockerRootDir: Type.String(),
  HttpProxy: Type.String(),
  HttpsProxy: Type.String(),
  NoProxy: Type.String(),
  Name: Type.String(),
  Labels: Strings(),
  ExperimentalBuild: Type.Boolean(),
  ServerVersion: Type.String(),
  Runtimes: Type.Map(Type.Object({ path: Type.String() })),
  DefaultRuntime: Type.String(),
  Swarm: Type.Object({
    NodeID: Type.String(),
    NodeAddr: Type.String(),
    LocalNodeState: Type.String(),
    ControlAvailable: Type.Boolean(),
    Error: Type.String(),
    RemoteManagers: Type.Null(),
  }),
  LiveRestoreEnabled: Type.Boolean(),
  Isolation: Type.String(),
  InitBinary: Type.String(),
  ContainerdCommit: Type.Object({ ID: Type.String(), Expected: Type.Optional(Type.String()) }),
  RuncCommit: Type.Object({ ID: Type.String(), Expected: Type.Optional(Type.String()) }),
  InitCommit: Type.Object({ ID: Type.String(), Expected: Type.Optional(Type.String()) }),
  SecurityOptions: Strings(),
  /** Since v1.44. */
  CDISpecDirs: Type.Optional(Nullable(Strings())),
  /** Since v1.49. */
  FirewallBackend: Type.Optional(Type.Object({ Driver: Type.String() })),
  /** Until v1.24. */
  ExecutionDriver: Type.Optional(Type.String()),
  Warnings: Nullable(Strings()),
})
export type SystemInfo = Static<typeof SystemInfo>

export const DiskUsage = Type.Object({
  LayersSize: Type.Integer(),
  Images: Nullable(Type.Array(ImageSummary)),
  Containers: Nullable(Type.Array(ContainerSummary)),
  Volumes: Nullable(Type.Array(Volume)),
  BuildCache: Nullable(Type.Array(Type.Object({}))),
  /** Until v1.41. */
  BuilderSize: Type.Optional(Type.Integer()),
})
export type DiskUsage = Static<typeof DiskUsage>
