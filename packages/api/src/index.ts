export { CheckpointCreate, CheckpointSummary } from './checkpoint.ts'
export {
  ContainerCreate,
  ContainerCreated,
  ContainerInspect,
  ContainerState,
  ContainerSummary,
  ContainersPruned,
  ContainerTop,
  ContainerUpdated,
  FilesystemChange,
  Health,
  MountPoint,
  NetworkSettings,
  PathStat,
  Port,
  RunReport,
  WaitResponse,
} from './container.ts'
export { ContainerConfig, HealthConfig } from './container-config.ts'
export { decode, LargeInteger } from './decode.ts'
export { EventMessage } from './events.ts'
export { ExecConfig, ExecInspect, ExecStart, ExecSummary } from './exec.ts'
export { booleanFilter, type Filters, parseFilters } from './filters.ts'
export {
  ContainerUpdate,
  DeviceMapping,
  DeviceRequest,
  HostConfig,
  Mount,
  PortBinding,
  PortMap,
  Resources,
  RestartPolicy,
  ThrottleDevice,
  Ulimit,
  WeightDevice,
} from './host-config.ts'
export {
  AuthConfig,
  AuthResponse,
  DistributionInspect,
  HistoryItem,
  ImageDeleted,
  ImageInspect,
  ImageSearchResult,
  ImageSummary,
  ImagesPruned,
} from './image.ts'
export {
  IPAMPool,
  Network,
  NetworkConnect,
  NetworkContainer,
  NetworkCreate,
  NetworkCreated,
  NetworkDisconnect,
  NetworksPruned,
} from './network.ts'
export { EndpointConfig, EndpointSettings, NetworkingConfig } from './network-config.ts'
export { ProgressMessage } from './progress.ts'
export { type JsonSchema, type Schema, type Static, Type } from './schema.ts'
export { Secret, SecretCreated, SecretSpec } from './secret.ts'
export type {
  BlkioEntry,
  ContainerStats,
  CpuStats,
  InterfaceStats,
  PressureLine,
  PressureStats,
} from './stats.ts'
export {
  EXIT,
  encodeEnd,
  encodeFrame,
  encodeReport,
  FrameDecoder,
  REPORT,
  STDERR,
  STDOUT,
  type StdcopyFrame,
} from './stdcopy.ts'
export { DiskUsage, ErrorResponse, SystemInfo, SystemVersion } from './system.ts'
export { Volume, VolumeCreate, VolumeList, VolumesPruned } from './volume.ts'
