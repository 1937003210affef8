import type {
  RuntimeDevice,
  RuntimeDeviceRule,
  RuntimeMount,
  RuntimeNamespace,
} from './runtime-spec.ts'

/** What a container gets when nothing is said, as of Docker 28. */

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Docker also masks /sys/devices/system/cpu/cpuN/thermal_throttle for each cpu that has one: see `maskedPaths`. */
const DEFAULT_MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]

export const DEFAULT_READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

/** `cpusWithThrottle`: numbers of the cpus whose thermal_throttle directory exists (GHSA-6fw5-f8r9-fgfm). */
export function maskedPaths(cpusWithThrottle: readonly number[] = []): string[] {
  return [
    ...DEFAULT_MASKED_PATHS,
    ...cpusWithThrottle.map((cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`),
  ]
}

/** Docker's mounts. `shmSizeBytes` 64 MiB by default; `isPrivileged` makes /sys and, if nothing is said of them, the cgroups writable. */
export function defaultMounts(
  o: {
    shmSizeBytes?: number | undefined
    isPrivileged?: boolean | undefined
    areCgroupsWritable?: boolean | undefined
  } = {},
): RuntimeMount[] {
  const access = o.isPrivileged === true ? 'rw' : 'ro'
  const kernel = ['nosuid', 'noexec', 'nodev']
  const shmSize = o.shmSizeBytes ?? 64 * 1024 * 1024
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: kernel },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...kernel, access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [(o.areCgroupsWritable ?? o.isPrivileged) === true ? 'rw' : 'ro', ...kernel],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: kernel },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...kernel, 'mode=1777', `size=${shmSize}`],
    },
  ]
}

/** Six nodes that every container has; with them go the links of `DEFAULT_DEVICE_LINKS`. runtime-spec config-linux.md#default-devices */
export const DEFAULT_DEVICES: readonly (RuntimeDevice & { major: number; minor: number })[] = [
  { type: 'c', path: '/dev/null', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 },
  { type: 'c', path: '/dev/random', major: 1, minor: 8, fileMode: 0o666, uid: 0, gid: 0 },
  { type: 'c', path: '/dev/full', major: 1, minor: 7, fileMode: 0o666, uid: 0, gid: 0 },
  { type: 'c', path: '/dev/tty', major: 5, minor: 0, fileMode: 0o666, uid: 0, gid: 0 },
  { type: 'c', path: '/dev/zero', major: 1, minor: 5, fileMode: 0o666, uid: 0, gid: 0 },
  { type: 'c', path: '/dev/urandom', major: 1, minor: 9, fileMode: 0o666, uid: 0, gid: 0 },
]

/** Link path → target. */
export const DEFAULT_DEVICE_LINKS: readonly (readonly [path: string, target: string])[] = [
  ['/dev/ptmx', 'pts/ptmx'],
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/core', '/proc/kcore'],
]

/**
 * Docker's device policy: nothing but the default nodes, terminals and making (not opening) of any node. With
 * `isPrivileged` everything. `extra` rules come last.
 */
export function defaultDeviceRules(
  o: { isPrivileged?: boolean | undefined; extra?: readonly RuntimeDeviceRule[] | undefined } = {},
): RuntimeDeviceRule[] {
  if (o.isPrivileged === true) return [{ allow: true, access: 'rwm' }, ...(o.extra ?? [])]
  const character = (major: number, minor?: number): RuntimeDeviceRule => ({
    allow: true,
    type: 'c',
    major,
    minor,
    access: 'rwm',
  })
  return [
    { allow: false, access: 'rwm' },
    // mknod of anything is harmless without the right to open it.
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'b', access: 'm' },
    ...DEFAULT_DEVICES.map((device) => character(device.major, device.minor)),
    character(5, 1), // /dev/console
    character(5, 2), // /dev/ptmx
    character(136), // /dev/pts/N
    ...(o.extra ?? []),
  ]
}

/** Own mount, network, UTS, PID and IPC namespaces, and a cgroup namespace if `hasCgroupNamespace` (Docker: on v2). */
export function defaultNamespaces(
  o: { hasCgroupNamespace?: boolean | undefined } = {},
): RuntimeNamespace[] {
  const types: RuntimeNamespace['type'][] = ['mount', 'network', 'uts', 'pid', 'ipc']
  if (o.hasCgroupNamespace === true) types.push('cgroup')
  return types.map((type) => ({ type }))
}
