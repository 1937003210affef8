import { posix } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import type { RuntimeProcess, RuntimeSpec } from '@ctr/oci'
import { HANDOVER_FOREGROUND, LOG_COMPRESS, type Op, type Program } from '../ops.ts'
import { type CgroupPlan, planCgroup } from './cgroup.ts'
import { INIT_PATH } from './init.ts'
import type { Handover, LogTarget, StartInput } from './input.ts'
import { type NamespacePlan, planIdMap, planNamespaces } from './namespaces.ts'
import { hostUser, planOomScore, planProcess, planStdio } from './process.ts'
import { planRootfs, type RootfsPlan } from './rootfs.ts'
import { Trees } from './trees.ts'

/**
 * The launch program of a container: everything that happens between "start" and the first instruction of the user's
 * program, in libcontainer's order. Pure. EngineError (INVALID_ARGUMENT) for a spec that cannot be run.
 */
export function compileStart(input: StartInput, host: HostFacts): Program {
  const { spec, network, stdio } = input
  const process = needProcess(spec)
  const cgroupPath = containerCgroup(input)
  const namespaces = planNamespaces(spec)
  const hasUserNamespace = namespaces.hasUser
  const cgroup = planCgroup(
    {
      path: cgroupPath,
      resources: spec.linux?.resources ?? {},
      cpuset: input.cpuset,
      hasUserNamespace,
    },
    host,
  )
  const trees = new Trees()
  const rootfs = planRootfs(
    {
      spec,
      rootfs: input.rootfs,
      cgroupPath,
      hasTerminal: stdio.tty,
      hasCgroupNamespace: namespaces.isNew('cgroup'),
      hasMountNamespace: namespaces.hasMount,
      hasUserNamespace,
      initBinary: input.initBinary,
      trees,
      beforePivot: [
        ...(input.afterMounts ?? []),
        ...(input.handover?.pauseForHooks === true ? [{ op: 'pause' } as const] : []),
      ],
    },
    host,
  )
  const parts: Parts = {
    cgroup,
    namespaces,
    rootfs,
    clone: [
      ...namespaces.open,
      ...trees.ops,
      { op: 'clone', flags: namespaces.cloneFlags, cgroup: cgroup.cloneInto },
    ],
    forChild: [
      ...network.hostOps,
      ...planResctrl(input.resctrlTasks),
      ...planPidfd(input.handover, 'standard'),
    ],
    network: [...planNetDevices(spec), ...network.childOps],
    keyring: planKeyring({ ...input, label: process.selinuxLabel }),
    oomScore: planOomScore(process, hasUserNamespace),
    idMap: namespaces.isNew('user') ? planIdMap(spec) : [],
  }
  const isPlain = !hasUserNamespace && namespaces.isNew('mount')
  return [
    ...planSurroundings(input, process),
    ...(isPlain ? sideBySide(parts) : oneByOne(parts)),
    ...rootfs.inside,
    { op: 'setsid' },
    ...planHostname(spec),
    ...Object.entries(spec.linux?.sysctl ?? {}).map(
      ([key, value]): Op => ({ op: 'sysctl', key, value }),
    ),
    ...(spec.linux?.readonlyPaths ?? []).map((path): Op => ({ op: 'readonly', path })),
    ...(spec.linux?.maskedPaths ?? []).map((path): Op => ({ op: 'mask', path })),
    ...planProcess(
      {
        spec,
        process,
        args: input.initBinary === undefined ? process.args : [INIT_PATH, '--', ...process.args],
        // The caller of an OCI runtime may be pinned to some; its containers are not, as runc 1.3's.
        cpus: input.handover === undefined ? undefined : '',
        seccompFilter: input.seccompFilter,
        waitForStart: input.waitForStart,
        isGated: input.handover?.execFifo !== undefined,
      },
      host,
    ),
  ]
}

/** What comes before the last mounts. */
interface Parts {
  readonly cgroup: CgroupPlan
  readonly namespaces: NamespacePlan
  readonly rootfs: RootfsPlan
  readonly clone: readonly Op[]
  /** Of the host, when there is a child. */
  readonly forChild: readonly Op[]
  /** When the child is in its network namespace. */
  readonly network: readonly Op[]
  readonly keyring: readonly Op[]
  /** While the child has the host's /proc: a bundle need not have one. */
  readonly oomScore: readonly Op[]
  readonly idMap: readonly Op[]
}

/** The host makes cgroups and network devices while the child mounts, outside of them. On one processor it is the same work. */
function sideBySide(parts: Parts): Op[] {
  const { cgroup, namespaces, rootfs } = parts
  return [
    ...cgroup.make,
    ...parts.clone,
    ...namespaces.enter,
    ...parts.keyring,
    ...parts.oomScore,
    ...rootfs.outside,
    ...[...cgroup.makeMore, ...parts.forChild].map((op) => ({ ...op, beside: true })),
    ...cgroup.join,
    ...namespaces.enterCgroup,
    ...parts.network,
  ]
}

/** A child in a user namespace waits for its ids and its cgroups; one in a mount namespace that exists may not see the host's files. */
function oneByOne(parts: Parts): Op[] {
  const { cgroup, namespaces, rootfs } = parts
  return [
    ...cgroup.make,
    ...cgroup.makeMore,
    ...parts.clone,
    ...(namespaces.hasUser
      ? [...cgroup.join, ...parts.idMap, ...parts.oomScore, ...parts.forChild]
      : [...parts.forChild, ...cgroup.join]),
    ...namespaces.enter,
    ...namespaces.enterCgroup,
    ...parts.network,
    ...parts.keyring,
    ...(namespaces.hasUser ? [] : parts.oomScore),
    ...rootfs.outside,
  ]
}

/** What there is before the process: its owner, its log, its streams and its ports. */
export function planSurroundings(input: StartInput, process: RuntimeProcess): Op[] {
  const { spec, network, stdio, expectAttach } = input
  return [
    ...planOwner(input),
    ...planLog(input.log),
    planStdio(stdio, process, hostUser(process, spec), input.handover),
    ...network.forwards,
    ...(expectAttach > 0 ? [{ op: 'expect_attach', clients: expectAttach } as const] : []),
  ]
}

/** Who looks after the process: a shim with a runtime directory, or the caller that it is handed over to. */
export function planOwner(input: {
  readonly runtimeDir: string
  readonly handover?: Handover | undefined
}): Op[] {
  const { handover } = input
  if (handover === undefined) return [{ op: 'runtime_dir', path: input.runtimeDir }]
  const { consoleSocket, execFifo } = handover
  return [
    {
      op: 'handover',
      flags: handover.isForeground ? HANDOVER_FOREGROUND : 0,
      preserve_fds: handover.preserveFds,
    },
    ...(consoleSocket === undefined
      ? []
      : [{ op: 'console_socket', path: consoleSocket } as const]),
    ...(execFifo === undefined ? [] : [{ op: 'exec_fifo', path: execFifo } as const]),
  ]
}

/** `name`: runc's for the first process of a container and for others. */
export function planPidfd(handover: Handover | undefined, name: 'standard' | 'setns'): Op[] {
  const path = handover?.pidfdSocket
  return path === undefined ? [] : [{ op: 'pidfd_socket', path, name }]
}

/** `tasks`: of the group of the resctrl filesystem that the process belongs to. */
export function planResctrl(tasks: string | undefined): Op[] {
  return tasks === undefined ? [] : [{ op: 'write_pid', path: tasks }]
}

/** A session keyring of the container's own. */
export function planKeyring(input: {
  readonly containerId: string
  readonly label: string | undefined
  readonly handover?: Handover | undefined
}): Op[] {
  if (input.handover?.noNewKeyring === true) return []
  const { label = '' } = input
  return [
    // Or the process may not use it. SELinux ends this with the execve.
    ...(label === ''
      ? []
      : [{ op: 'label', name: 'keycreate', value: label, optional: true } as const]),
    { op: 'keyring', name: `_ses.${input.containerId}`, optional: true },
  ]
}

/** Path of the container's cgroup in every hierarchy, e.g. `/ctr/<id>`. */
export function containerCgroup(input: {
  readonly spec: RuntimeSpec
  readonly containerId: string
  readonly cgroupParent: string
}): string {
  const path = input.spec.linux?.cgroupsPath ?? ''
  return posix.resolve('/', path === '' ? posix.join(input.cgroupParent, input.containerId) : path)
}

export function needProcess(spec: RuntimeSpec): RuntimeProcess {
  if (spec.process !== undefined) return spec.process
  throw new EngineError('INVALID_ARGUMENT', 'the spec has no process')
}

/** When the child is in its network namespace. runtime-spec config-linux.md#network-devices */
function planNetDevices({ linux }: RuntimeSpec): Op[] {
  return Object.entries(linux?.netDevices ?? {}).map(
    ([name, device]): Op => ({ op: 'net_device', name, new_name: device?.name ?? '' }),
  )
}

function planLog(log: LogTarget | undefined): Op[] {
  if (log === undefined) return []
  return [
    {
      op: 'log_json',
      path: log.path,
      max_bytes: BigInt(log.maxBytes),
      max_files: log.maxFiles,
      flags: log.compress ? LOG_COMPRESS : 0,
      extra: log.extra,
    },
  ]
}

function planHostname(spec: RuntimeSpec): Op[] {
  const { hostname = '', domainname = '' } = spec
  return [
    ...(hostname === '' ? [] : [{ op: 'sethostname', name: hostname } as const]),
    ...(domainname === '' ? [] : [{ op: 'setdomainname', name: domainname } as const]),
  ]
}
