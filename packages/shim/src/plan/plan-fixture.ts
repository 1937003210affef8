import type { HostFacts } from '@ctr/linux'
import { DEFAULT_CAPABILITIES, defaultMounts, defaultNamespaces, type RuntimeSpec } from '@ctr/oci'
import type { Op, OpName, Program } from '../ops.ts'
import type { StartInput } from './input.ts'

export const v2: HostFacts = {
  cgroups: {
    mode: 'v2',
    hierarchies: [
      {
        version: 2,
        controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'],
        mountpoint: '/sys/fs/cgroup',
        root: '/',
        own: '/',
      },
    ],
  },
  lastCapability: 40,
  heldCapabilities: 2n ** 41n - 1n,
  kernel: { major: 6, minor: 1 },
  arch: 'x64',
  hasSwapAccounting: true,
  onlineCpus: '0-3',
  onlineMems: '0',
  hasRealtimeGroups: false,
  hasBlockIoWeight: true,
  appArmor: false,
  seLinux: false,
  hasKcore: true,
  rootIsRamfs: false,
}

export const v1: HostFacts = {
  ...v2,
  cgroups: {
    mode: 'v1',
    hierarchies: [['name=systemd'], ['cpu', 'cpuacct'], ['cpuset'], ['memory'], ['devices']].map(
      (controllers) => ({
        version: 1,
        controllers,
        mountpoint: `/sys/fs/cgroup/${controllers[0] === 'name=systemd' ? 'systemd' : controllers.join(',')}`,
        root: '/',
        own: '/',
      }),
    ),
  },
}

export function spec(): RuntimeSpec {
  const capabilities = [...DEFAULT_CAPABILITIES]
  return {
    ociVersion: '1.2.0',
    process: {
      args: ['sh'],
      env: ['PATH=/bin'],
      cwd: '/work',
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: '' },
    hostname: 'box',
    mounts: defaultMounts(),
    linux: {
      namespaces: defaultNamespaces({ hasCgroupNamespace: true }),
      maskedPaths: ['/proc/keys'],
      readonlyPaths: ['/proc/sys'],
      resources: { memory: { limit: 1024, swap: 2048 }, devices: [{ allow: false }] },
      sysctl: { 'net.ipv4.ip_forward': '1' },
    },
  }
}

export function input(change: Partial<StartInput> = {}): StartInput {
  return {
    spec: spec(),
    containerId: 'abc',
    runtimeDir: '/run/ctr/c/abc',
    rootfs: {
      kind: 'overlay',
      base: '/var/lib/ctr',
      lower: ['snapshots/2', 'snapshots/1'],
      upper: 'containers/abc/upper',
      work: 'containers/abc/work',
      mountpoint: '/run/ctr/rootfs',
    },
    log: { path: '/log', maxBytes: 100, maxFiles: 2, compress: true, extra: '' },
    stdio: { stdin: false, tty: false, stdinOnce: false, rows: 0, columns: 0 },
    expectAttach: 0,
    waitForStart: false,
    seccompFilter: new Uint8Array(16),
    network: { hostOps: [], childOps: [], forwards: [] },
    cgroupParent: '/ctr',
    ...change,
  }
}

export function changed(change: (spec: RuntimeSpec) => void): StartInput {
  const own = spec()
  change(own)
  return input({ spec: own })
}

export function names(program: Program): OpName[] {
  return program.map((op) => op.op)
}

export function only<N extends OpName>(program: Program, name: N): (Op & { op: N })[] {
  return program.filter((op): op is Op & { op: N } => op.op === name)
}
