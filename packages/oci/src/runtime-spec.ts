/**
 * Types of the OCI runtime-spec's config.json (v1.2), with the field names of the JSON. Documents from outside are
 * not trusted to have this shape: who reads one checks what it uses.
 */
export interface RuntimeSpec {
  ociVersion: string
  process?: RuntimeProcess | undefined
  root?: RuntimeRoot | undefined
  hostname?: string | undefined
  domainname?: string | undefined
  mounts?: RuntimeMount[] | undefined
  hooks?: RuntimeHooks | undefined
  annotations?: Record<string, string> | undefined
  linux?: RuntimeLinux | undefined
}

export interface RuntimeProcess {
  terminal?: boolean | undefined
  /** Lists of CPUs (`0-3,7`) of an exec. */
  execCPUAffinity?: { initial?: string | undefined; final?: string | undefined } | undefined
  consoleSize?: { height: number; width: number } | undefined
  user: RuntimeUser
  args: string[]
  /** `NAME=value`. */
  env?: string[] | undefined
  cwd: string
  capabilities?: RuntimeCapabilities | undefined
  rlimits?: RuntimeRlimit[] | undefined
  noNewPrivileges?: boolean | undefined
  apparmorProfile?: string | undefined
  selinuxLabel?: string | undefined
  oomScoreAdj?: number | undefined
  scheduler?: RuntimeScheduler | undefined
  ioPriority?: { class: string; priority?: number | undefined } | undefined
}

export interface RuntimeUser {
  uid: number
  gid: number
  umask?: number | undefined
  additionalGids?: number[] | undefined
}

/** Names such as `CAP_CHOWN`. */
export interface RuntimeCapabilities {
  bounding?: string[] | undefined
  effective?: string[] | undefined
  inheritable?: string[] | undefined
  permitted?: string[] | undefined
  ambient?: string[] | undefined
}

export interface RuntimeRlimit {
  /** `RLIMIT_NOFILE`. */
  type: string
  /** -1 and 2^64-1 (which JSON.parse rounds) both mean unlimited. */
  soft: number
  hard: number
}

export interface RuntimeScheduler {
  policy: string
  nice?: number | undefined
  priority?: number | undefined
  flags?: string[] | undefined
  runtime?: number | undefined
  deadline?: number | undefined
  period?: number | undefined
}

export interface RuntimeRoot {
  path: string
  readonly?: boolean | undefined
}

export interface RuntimeMount {
  destination: string
  type?: string | undefined
  source?: string | undefined
  /** Words of mount(8), and the spec's own (`rbind`, `rro`, `tmpcopyup`, …). */
  options?: string[] | undefined
  uidMappings?: RuntimeIdMapping[] | undefined
  gidMappings?: RuntimeIdMapping[] | undefined
}

export interface RuntimeHook {
  path: string
  args?: string[] | undefined
  env?: string[] | undefined
  /** Seconds. */
  timeout?: number | undefined
}

export interface RuntimeHooks {
  prestart?: RuntimeHook[] | undefined
  createRuntime?: RuntimeHook[] | undefined
  createContainer?: RuntimeHook[] | undefined
  startContainer?: RuntimeHook[] | undefined
  poststart?: RuntimeHook[] | undefined
  poststop?: RuntimeHook[] | undefined
}

export interface RuntimeLinux {
  namespaces?: RuntimeNamespace[] | undefined
  uidMappings?: RuntimeIdMapping[] | undefined
  gidMappings?: RuntimeIdMapping[] | undefined
  timeOffsets?: Record<string, { secs?: number; nanosecs?: number }> | undefined
  devices?: RuntimeDevice[] | undefined
  cgroupsPath?: string | undefined
  resources?: RuntimeResources | undefined
  sysctl?: Record<string, string> | undefined
  seccomp?: RuntimeSeccomp | undefined
  rootfsPropagation?: string | undefined
  maskedPaths?: string[] | undefined
  readonlyPaths?: string[] | undefined
  mountLabel?: string | undefined
  personality?: { domain: string; flags?: string[] | undefined } | undefined
  intelRdt?: RuntimeIntelRdt | null | undefined
  memoryPolicy?: RuntimeMemoryPolicy | null | undefined
  /** Devices of the runtime's network namespace, by name; `name` is that in the container. */
  netDevices?: Record<string, { name?: string | undefined }> | undefined
}

/** set_mempolicy(2), in its words. */
export interface RuntimeMemoryPolicy {
  mode?: string | undefined
  /** `0-3,7` */
  nodes?: string | undefined
  flags?: string[] | undefined
}

/** Documentation/arch/x86/resctrl.rst */
export interface RuntimeIntelRdt {
  /** Of a group that others may share; absent: the container has one of its own. */
  closID?: string | undefined
  /** Lines for the file `schemata`. */
  schemata?: string[] | undefined
  l3CacheSchema?: string | undefined
  memBwSchema?: string | undefined
  enableMonitoring?: boolean | undefined
}

export const NAMESPACE_TYPES = [
  'mount',
  'pid',
  'network',
  'ipc',
  'uts',
  'user',
  'cgroup',
  'time',
] as const
export type NamespaceType = (typeof NAMESPACE_TYPES)[number]

/** Without a path a new namespace; with one, that of the file. A type that is not listed is shared with the host. */
export interface RuntimeNamespace {
  type: NamespaceType
  path?: string | undefined
}

export interface RuntimeIdMapping {
  containerID: number
  hostID: number
  size: number
}

export interface RuntimeDevice {
  /** c, b, u (unbuffered character) or p (FIFO). */
  type: 'c' | 'b' | 'u' | 'p'
  path: string
  major?: number | undefined
  minor?: number | undefined
  fileMode?: number | undefined
  uid?: number | undefined
  gid?: number | undefined
}

export interface RuntimeResources {
  devices?: RuntimeDeviceRule[] | undefined
  memory?: RuntimeMemory | undefined
  cpu?: RuntimeCpu | undefined
  pids?: { limit?: number | undefined } | undefined
  blockIO?: RuntimeBlockIO | undefined
  hugepageLimits?: { pageSize: string; limit: number }[] | undefined
  network?: RuntimeNetworkResources | undefined
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }> | undefined
  /** cgroup v2 file name → content. */
  unified?: Record<string, string> | undefined
}

/** Rules apply in order; the last that matches decides. `type` a = all kinds. Absent major or minor (or -1) = any. */
export interface RuntimeDeviceRule {
  allow: boolean
  type?: 'a' | 'c' | 'b' | undefined
  major?: number | undefined
  minor?: number | undefined
  /** Any of r, w, m; absent = rwm. */
  access?: string | undefined
}

/** Bytes; -1 = unlimited. `swap` is memory + swap, as in cgroup v1. */
export interface RuntimeMemory {
  limit?: number | undefined
  reservation?: number | undefined
  swap?: number | undefined
  kernel?: number | undefined
  kernelTCP?: number | undefined
  swappiness?: number | undefined
  disableOOMKiller?: boolean | undefined
  useHierarchy?: boolean | undefined
  checkBeforeUpdate?: boolean | undefined
}

/** Times in microseconds. */
export interface RuntimeCpu {
  shares?: number | undefined
  quota?: number | undefined
  burst?: number | undefined
  period?: number | undefined
  realtimeRuntime?: number | undefined
  realtimePeriod?: number | undefined
  cpus?: string | undefined
  mems?: string | undefined
  idle?: number | undefined
}

export interface RuntimeWeightDevice {
  major: number
  minor: number
  weight?: number | undefined
  leafWeight?: number | undefined
}

export interface RuntimeThrottleDevice {
  major: number
  minor: number
  rate: number
}

export interface RuntimeBlockIO {
  weight?: number | undefined
  leafWeight?: number | undefined
  weightDevice?: RuntimeWeightDevice[] | undefined
  throttleReadBpsDevice?: RuntimeThrottleDevice[] | undefined
  throttleWriteBpsDevice?: RuntimeThrottleDevice[] | undefined
  throttleReadIOPSDevice?: RuntimeThrottleDevice[] | undefined
  throttleWriteIOPSDevice?: RuntimeThrottleDevice[] | undefined
}

export interface RuntimeNetworkResources {
  classID?: number | undefined
  priorities?: { name: string; priority: number }[] | undefined
}

export interface RuntimeSeccomp {
  defaultAction: SeccompAction
  defaultErrnoRet?: number | undefined
  /** `SCMP_ARCH_X86_64`, …; the native one is always there. */
  architectures?: string[] | undefined
  /** `SECCOMP_FILTER_FLAG_TSYNC`, `_LOG`, `_SPEC_ALLOW`. */
  flags?: string[] | undefined
  listenerPath?: string | undefined
  listenerMetadata?: string | undefined
  syscalls?: SeccompRule[] | undefined
}

export const SECCOMP_ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const
export type SeccompAction = (typeof SECCOMP_ACTIONS)[number]

export interface SeccompRule {
  names: string[]
  action: SeccompAction
  errnoRet?: number | undefined
  args?: SeccompArgument[] | undefined
}

export const SECCOMP_OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const
export type SeccompOperator = (typeof SECCOMP_OPERATORS)[number]

export interface SeccompArgument {
  index: number
  value: number
  valueTwo?: number | undefined
  op: SeccompOperator
}
