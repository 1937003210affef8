import type { HostConfig } from '@ctr/api'
import type { HostFacts } from '@ctr/linux'
import {
  defaultDeviceRules,
  defaultMounts,
  defaultNamespaces,
  defaultSeccomp,
  type NamespaceType,
  type RuntimeBlockIO,
  type RuntimeMount,
  type RuntimeNamespace,
  type RuntimeProcess,
  type RuntimeResources,
  type RuntimeSeccomp,
  type RuntimeSpec,
  resolveSeccomp,
  selectCapabilities,
} from '@ctr/oci'
import { hostId, type IdMaps, IN_ROOT } from '@ctr/shim'
import type { CdiEdits } from '../cdi/specs.ts'
import type { DefaultSeccomp } from '../default-seccomp.ts'
import { hasId, ownerMaps, parseMountIds } from '../user-namespace/mount-ids.ts'
import type { ContainerRecord, MountPoint } from './container.ts'
import type { ContainerDevices } from './devices.ts'
import { overrideEnvironment, processEnvironment } from './environment.ts'
import { namespaceOfMode, parseNetworkMode } from './modes.ts'
import { assertPropagation } from './propagation.ts'
import { givenCgroup } from './scope.ts'
import { parseSecurityOptions, type SecurityOptions } from './security-options.ts'
import { denyCalls, findPreset, type SecurityPreset } from './security-presets.ts'
import { mergeTmpfsOptions } from './tmpfs-options.ts'
import type { ResolvedUser } from './user.ts'

/** What compileSpec needs besides the container: everything that had to be looked up. */
export interface SpecInput {
  readonly container: ContainerRecord
  readonly host: HostFacts
  readonly user: ResolvedUser
  readonly devices: ContainerDevices
  readonly blockIO: RuntimeBlockIO | undefined
  /** Of the driver `local`, by name of the volume: type, device, o. Empty for a plain directory. */
  readonly volumeOptions: (name: string) => Readonly<Record<string, string>>
  /** PIDs of the containers whose namespaces are shared, by kind (`--network container:X`, …). */
  readonly joined: Readonly<Partial<Record<NamespaceType, number>>>
  /** Whose /etc/hosts, hostname and resolv.conf it gets: its own, or those of the container whose network is shared. */
  readonly runtimeFiles: Pick<ContainerRecord, 'hostnamePath' | 'hostsPath' | 'resolvConfPath'>
  /** Name that the process sees: the own one, or that of the container whose network is shared. */
  readonly hostname: string
  /** `NAME=value`, of containers that this one is linked to: before its own variables. */
  readonly linkEnvironment: readonly string[]
  /** `NAME=value`: after all other variables. */
  readonly secretEnvironment: readonly string[]
  readonly noNewPrivileges: boolean
  readonly defaultSeccomp: DefaultSeccomp
  readonly defaultUlimits: readonly { Name: string; Soft: number; Hard: number }[]
  /** Of its user namespace; undefined: it has none. */
  readonly idMaps: IdMaps | undefined
  /** Of an image mount: directories, top first. */
  readonly imageLayers: (reference: string) => readonly string[]
  readonly sourceOwner: (path: string) => { readonly uid: number; readonly gid: number }
  readonly rows: number
  readonly columns: number
}

/** A container's settings as an OCI runtime spec. Pure. moby daemon/oci_linux.go createSpec */
export function compileSpec(input: SpecInput): RuntimeSpec {
  const { container } = input
  const { config, hostConfig } = container
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? [], input)
  const ownsUts = (hostConfig.UTSMode ?? '') === ''
  const cgroupsPath = givenCgroup(container)
  return {
    ociVersion: '1.2.0',
    process: compileProcess(input, security),
    root: { path: '', readonly: hostConfig.ReadonlyRootfs === true },
    ...(ownsUts ? { hostname: input.hostname } : {}),
    ...(ownsUts && (config.Domainname ?? '') !== '' ? { domainname: config.Domainname } : {}),
    mounts: compileMounts(input),
    annotations: hostConfig.Annotations ?? {},
    linux: {
      namespaces: compileNamespaces(input),
      ...(input.idMaps === undefined
        ? {}
        : { uidMappings: [...input.idMaps.uids], gidMappings: [...input.idMaps.gids] }),
      devices: [...input.devices.nodes],
      ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
      resources: compileResources(hostConfig, input),
      sysctl: compileSysctl(hostConfig, input.idMaps),
      seccomp: compileSeccompRules(input, security),
      maskedPaths: [...(hostConfig.MaskedPaths ?? [])],
      readonlyPaths: [...(hostConfig.ReadonlyPaths ?? [])],
    },
  }
}

function compileProcess(input: SpecInput, security: SecurityOptions): RuntimeProcess {
  const { container, user } = input
  const { config, hostConfig } = container
  const hasTty = config.Tty === true
  const directory = config.WorkingDir ?? ''
  return {
    terminal: hasTty,
    ...(hasTty ? { consoleSize: { height: input.rows, width: input.columns } } : {}),
    user: {
      uid: user.uid,
      gid: user.gid,
      umask: 0o022,
      additionalGids: [...user.additionalGids, ...(input.devices.cdi?.additionalGids ?? [])],
    },
    args: [container.path, ...container.args],
    env: overrideEnvironment(
      processEnvironment(config, input.hostname, user.home, input.linkEnvironment),
      [...(input.devices.cdi?.env ?? []), ...input.secretEnvironment],
    ),
    cwd: directory === '' ? '/' : directory,
    capabilities: processCapabilities(hostConfig, user.uid, input.host),
    rlimits: compileRlimits(input),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  }
}

/** The bounding set is the selection; only root has it in effect. None are inheritable or ambient. */
export function processCapabilities(
  hostConfig: HostConfig,
  uid: number,
  host: HostFacts,
): {
  bounding: string[]
  permitted: string[]
  effective: string[]
  inheritable: string[]
  ambient: string[]
} {
  const bounding = selectCapabilities({
    add: hostConfig.CapAdd,
    drop: hostConfig.CapDrop,
    privileged: hostConfig.Privileged,
    base: findPreset(hostConfig.SecurityOpt)?.capabilities,
    available: host.heldCapabilities,
  })
  const inEffect = uid === 0 ? [...bounding] : []
  return {
    bounding: [...bounding],
    permitted: inEffect,
    effective: [...inEffect],
    inheritable: [],
    ambient: [],
  }
}

function compileRlimits(input: SpecInput): { type: string; soft: number; hard: number }[] {
  const limits = new Map<string, { type: string; soft: number; hard: number }>()
  const { hostConfig } = input.container
  const all = [
    ...input.defaultUlimits,
    ...presetUlimits(findPreset(hostConfig.SecurityOpt)),
    ...(hostConfig.Ulimits ?? []),
  ]
  for (const { Name = '', Soft = 0, Hard = 0 } of all) {
    limits.set(Name, { type: `RLIMIT_${Name.toUpperCase()}`, soft: Soft, hard: Hard })
  }
  return [...limits.values()]
}

function presetUlimits(
  preset: SecurityPreset | undefined,
): { Name: string; Soft: number; Hard: number }[] {
  const files = preset?.openFiles
  return files === undefined ? [] : [{ Name: 'nofile', Soft: files, Hard: files }]
}

function compileNamespaces(input: SpecInput): RuntimeNamespace[] {
  const { hostConfig } = input.container
  const shared = new Set<NamespaceType>()
  if (hostConfig.NetworkMode === 'host') shared.add('network')
  if (hostConfig.PidMode === 'host') shared.add('pid')
  if (hostConfig.IpcMode === 'host') shared.add('ipc')
  if (hostConfig.UTSMode === 'host') shared.add('uts')
  const isCgroupPrivate = hostConfig.CgroupnsMode === 'private'
  const given: Readonly<Partial<Record<NamespaceType, string | undefined>>> = {
    network: namespaceOfMode(hostConfig.NetworkMode),
    pid: namespaceOfMode(hostConfig.PidMode),
    ipc: namespaceOfMode(hostConfig.IpcMode),
    uts: namespaceOfMode(hostConfig.UTSMode),
  }
  const own: RuntimeNamespace[] = input.idMaps === undefined ? [] : [{ type: 'user' }]
  return [...defaultNamespaces({ hasCgroupNamespace: isCgroupPrivate }), ...own]
    .filter(({ type }) => !shared.has(type))
    .map(({ type }) => {
      const path = given[type]
      if (path !== undefined) return { type, path }
      const pid = input.joined[type]
      return pid === undefined ? { type } : { type, path: namespacePath(pid, type) }
    })
}

/** Names in /proc/PID/ns. namespaces(7) */
export const NAMESPACE_FILES: Readonly<Record<NamespaceType, string>> = {
  mount: 'mnt',
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
}

export function namespacePath(pid: number, type: NamespaceType): string {
  return `/proc/${pid}/ns/${NAMESPACE_FILES[type]}`
}

/** The default mounts that no own mount replaces, then the own ones, parents before children. */
function compileMounts(input: SpecInput): RuntimeMount[] {
  const { container } = input
  const { hostConfig } = container
  const own = [
    ...container.mounts.flatMap((mount) => [
      deviceVolume(mount, input.volumeOptions) ?? runtimeMount(mount, input),
      ...subpathMount(mount, input.host),
    ]),
    ...(input.devices.cdi?.mounts ?? []).map(cdiMount),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([path, options]) => tmpfs(path, options, false)),
  ]
  const destinations = new Set(own.map((mount) => mount.destination))
  own.push(...runtimeFiles(input).filter((mount) => !destinations.has(mount.destination)))
  own.sort((a, b) => depth(a.destination) - depth(b.destination))
  const isHidden = (path: string): boolean =>
    destinations.has(path) || (path.startsWith('/dev/') && destinations.has('/dev'))
  const defaults = defaultMounts({
    shmSizeBytes: hostConfig.ShmSize,
    isPrivileged: hostConfig.Privileged,
  })
    .filter((mount) => !isHidden(mount.destination))
    .filter((mount) => mount.destination !== '/dev/shm' || hostConfig.IpcMode !== 'none')
    .map((mount) => (mount.destination === '/dev/shm' ? sharedMemory(mount, input) : mount))
    .map((mount) => (mount.type === 'devpts' ? terminals(mount, input.idMaps) : mount))
  return [...defaults, ...own]
}

function cdiMount({ hostPath, containerPath, options }: CdiEdits['mounts'][number]): RuntimeMount {
  const words = ['rbind', 'rprivate', ...options]
  return { destination: containerPath, type: 'bind', source: hostPath, options: words }
}

/** The group of terminals (tty, 5), where the container has it. */
function terminals(mount: RuntimeMount, maps: IdMaps | undefined): RuntimeMount {
  if (hasId(maps?.gids, 5)) return mount
  return { ...mount, options: mount.options?.filter((word) => !word.startsWith('gid=')) }
}

function depth(path: string): number {
  return path.split('/').length
}

/** With the IPC namespace of the host or of a container comes its /dev/shm. */
function sharedMemory(mount: RuntimeMount, input: SpecInput): RuntimeMount {
  const { ipc } = input.joined
  const isHost = input.container.hostConfig.IpcMode === 'host'
  if (!isHost && ipc === undefined) return mount
  return {
    destination: '/dev/shm',
    type: 'bind',
    source: isHost ? '/dev/shm' : `/proc/${ipc}/root/dev/shm`,
    options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev'],
  }
}

/** The files that the engine writes at each start. */
function runtimeFiles({ container, runtimeFiles: files, idMaps }: SpecInput): RuntimeMount[] {
  const words = container.hostConfig.ReadonlyRootfs === true ? ['ro'] : []
  return [
    { destination: '/etc/resolv.conf', source: files.resolvConfPath },
    { destination: '/etc/hostname', source: files.hostnamePath },
    { destination: '/etc/hosts', source: files.hostsPath },
  ].map((mount) => ({
    ...mount,
    type: 'bind',
    options: ['bind', 'rprivate', ...words, ...ownIds(idMaps)],
  }))
}

/** What the engine keeps for containers has the ids of their inside, whatever their user namespace. */
function ownIds(idMaps: IdMaps | undefined): string[] {
  return idMaps === undefined ? [] : ['idmap']
}

/** INVALID_ARGUMENT: an id that the container does not have. */
function mountIds(mount: MountPoint, source: string, input: SpecInput): Partial<RuntimeMount> {
  const { uid, gid } = parseMountIds(mount.mode)
  if (uid === undefined && gid === undefined) return {}
  const owner = input.sourceOwner(source)
  const { uids, gids } = input.idMaps ?? {}
  return ownerMaps(owner, {
    uid: uid === undefined ? owner.uid : uids === undefined ? uid : hostId(uid, uids, 'user'),
    gid: gid === undefined ? owner.gid : gids === undefined ? gid : hostId(gid, gids, 'group'),
  })
}

/**
 * The directory of the volume over the volume itself: it is looked up in the container's root, so that a symlink which
 * someone has put there leads nowhere else.
 */
function subpathMount(
  { destination, subpath, ...mount }: MountPoint,
  host: HostFacts,
): RuntimeMount[] {
  if (subpath === '') return []
  const words = ['rbind', 'rprivate', ...access({ destination, subpath, ...mount }, host)]
  return [
    {
      destination,
      type: 'bind',
      source: `${destination}/${subpath}`,
      options: [...words, IN_ROOT],
    },
  ]
}

function imageMount(mount: MountPoint, input: SpecInput): RuntimeMount {
  const { destination } = mount
  const layers = input.imageLayers(mount.name ?? '')
  const words = ['ro', 'rprivate', ...ownIds(input.idMaps)]
  const [only] = layers
  // overlay wants at least two layers.
  return layers.length === 1 && only !== undefined
    ? { destination, type: 'bind', source: only, options: ['bind', ...words] }
    : {
        destination,
        type: 'overlay',
        source: 'overlay',
        options: [...words, `lowerdir=${layers.join(':')}`],
      }
}

function runtimeMount(mount: MountPoint, input: SpecInput): RuntimeMount {
  const { destination } = mount
  switch (mount.type) {
    case 'tmpfs':
      return tmpfs(destination, mount.tmpfsOptions, mount.readOnly)
    case 'image':
      return imageMount(mount, input)
    case 'bind':
    case 'volume': {
      const { source } = mount
      const propagation = mount.propagation === '' ? 'rprivate' : mount.propagation
      if (mount.type === 'bind') assertPropagation(source, propagation)
      const bind = mount.isRecursive ? 'rbind' : 'bind'
      const isOwn = mount.type === 'volume' || parseMountIds(mount.mode).isIdMapped
      const words = isOwn ? ownIds(input.idMaps) : []
      const options = [bind, propagation, ...access(mount, input.host), ...words]
      return { destination, type: 'bind', source, options, ...mountIds(mount, source, input) }
    }
  }
}

/** A volume with options is mounted for each container by itself: what mount(8) would do, no directory of ours. */
function deviceVolume(
  mount: MountPoint,
  optionsOf: SpecInput['volumeOptions'],
): RuntimeMount | undefined {
  const { device, type = 'none', o = '' } = optionsOf(mount.name ?? '')
  if (mount.type !== 'volume' || device === undefined) return undefined
  const words = o.split(',').filter((word) => word !== '')
  const isBind = words.includes('bind') || words.includes('rbind')
  return {
    destination: mount.destination,
    type: isBind ? 'bind' : type,
    source: device,
    options: [...words, ...(isBind ? ['rprivate'] : []), ...(mount.readOnly ? ['ro'] : [])],
  }
}

/**
 * Read-only means submounts too where the kernel can: mount_setattr(2) of 5.12. Nothing is said of a writable one, as by
 * dockerd: `rw` would take the flags of its source away (nosuid, nodev, noexec).
 */
function access(mount: MountPoint, host: HostFacts): string[] {
  if (!mount.readOnly) return []
  const { major, minor } = host.kernel
  const isRecursive = major > 5 || (major === 5 && minor >= 12)
  return isRecursive && mount.isRecursive && !mount.isReadOnlyNonRecursive ? ['rro'] : ['ro']
}

function tmpfs(destination: string, text: string, readOnly: boolean): RuntimeMount {
  const words = text.split(',').filter((word) => word !== '')
  const options = mergeTmpfsOptions(['noexec', 'nosuid', 'nodev', 'rprivate', ...words])
  return {
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: readOnly ? [...options, 'ro'] : options,
  }
}

/** Periods of --cpus. moby daemon/daemon_unix.go getCPUResources */
const CPU_PERIOD_US = 100_000

/** Also for `update`. Zero and absent mean: not limited, not written. */
export function compileResources(
  hostConfig: HostConfig,
  looked: Pick<SpecInput, 'devices' | 'blockIO'>,
): RuntimeResources {
  const nanoCpus = hostConfig.NanoCpus ?? 0
  const cpu =
    nanoCpus > 0
      ? { period: CPU_PERIOD_US, quota: Math.trunc((nanoCpus * CPU_PERIOD_US) / 1e9) }
      : { period: positive(hostConfig.CpuPeriod), quota: nonZero(hostConfig.CpuQuota) }
  return {
    devices: defaultDeviceRules({
      isPrivileged: hostConfig.Privileged,
      extra: looked.devices.rules,
    }),
    memory: {
      limit: positive(hostConfig.Memory),
      reservation: positive(hostConfig.MemoryReservation),
      swap: nonZero(hostConfig.MemorySwap),
      swappiness: hostConfig.MemorySwappiness,
      disableOOMKiller: hostConfig.OomKillDisable === true ? true : undefined,
    },
    cpu: {
      ...cpu,
      shares: positive(hostConfig.CpuShares),
      cpus: nonEmpty(hostConfig.CpusetCpus),
      mems: nonEmpty(hostConfig.CpusetMems),
      realtimePeriod: positive(hostConfig.CpuRealtimePeriod),
      realtimeRuntime: positive(hostConfig.CpuRealtimeRuntime),
    },
    pids: { limit: positive(hostConfig.PidsLimit) },
    ...(looked.blockIO === undefined ? {} : { blockIO: looked.blockIO }),
    ...(hostConfig.CgroupConf === undefined ? {} : { unified: hostConfig.CgroupConf }),
  }
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** Ping and ports below 1024 need no privilege in an own network namespace. moby daemon/oci_linux.go WithCommonOptions */
function compileSysctl(hostConfig: HostConfig, idMaps: IdMaps | undefined): Record<string, string> {
  const kind = parseNetworkMode(hostConfig).kind
  const own =
    kind === 'none' || kind === 'network'
      ? {
          'net.ipv4.ip_unprivileged_port_start': '0',
          // Groups that it has: a user namespace has few.
          ...(idMaps === undefined ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
        }
      : {}
  return { ...own, ...hostConfig.Sysctls }
}

function compileSeccompRules(
  input: SpecInput,
  security: SecurityOptions,
): RuntimeSeccomp | undefined {
  const { hostConfig } = input.container
  const preset = findPreset(hostConfig.SecurityOpt)
  const subject = {
    // What is added to those of a profile does not open its filter.
    capabilities: preset
      ? [...preset.capabilities]
      : processCapabilities(hostConfig, 0, input.host).bounding,
    arch: input.host.arch,
    kernel: input.host.kernel,
  }
  const isPrivileged = hostConfig.Privileged === true
  if (security.seccomp.kind === 'default' && isPrivileged) return undefined
  const policy = security.seccomp.kind === 'default' ? input.defaultSeccomp : security.seccomp
  if (preset !== undefined && security.seccomp.kind === 'default') {
    const base =
      policy.kind === 'profile' ? resolveSeccomp(policy.profile, subject) : defaultSeccomp(subject)
    return denyCalls(base, preset.deniedCalls)
  }
  switch (policy.kind) {
    case 'unconfined':
      return undefined
    case 'profile':
      return resolveSeccomp(policy.profile, subject)
    case 'builtin':
      return isPrivileged ? undefined : defaultSeccomp(subject)
  }
}
