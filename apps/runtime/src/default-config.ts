import type { RuntimeMount, RuntimeNamespace, RuntimeSpec } from '@ctr/oci'

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']
const KERNEL = ['nosuid', 'noexec', 'nodev']

/** What `spec` writes: a starter file, the same as runc's. Without root: mapped ids, no network of its own, no limits. */
export function defaultConfig(o: { isRootless: boolean }): RuntimeSpec {
  return {
    ociVersion: '1.0.2-dev',
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'runc',
    mounts: mounts(o.isRootless),
    linux: {
      ...(o.isRootless
        ? {
            uidMappings: [{ containerID: 0, hostID: process.geteuid?.() ?? 0, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: process.getegid?.() ?? 0, size: 1 }],
          }
        : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: namespaces(o.isRootless),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}

function namespaces(isRootless: boolean): RuntimeNamespace[] {
  const types: RuntimeNamespace['type'][] = isRootless
    ? ['pid', 'ipc', 'uts', 'mount', 'user']
    : ['pid', 'network', 'ipc', 'uts', 'mount']
  return types.map((type) => ({ type }))
}

function mounts(isRootless: boolean): RuntimeMount[] {
  const terminals = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
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
      options: isRootless ? terminals : [...terminals, 'gid=5'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...KERNEL, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: KERNEL },
    isRootless
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...KERNEL, 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...KERNEL, 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...KERNEL, 'relatime', 'ro'],
    },
  ]
}
