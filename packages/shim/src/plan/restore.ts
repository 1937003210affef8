import { EngineError } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import { type Op, type Program, RESTORE_SOCKET_FD } from '../ops.ts'
import { planCgroup } from './cgroup.ts'
import { CLONE } from './constants.ts'
import type { RestoreInput, StartInput } from './input.ts'
import { planNamespaces } from './namespaces.ts'
import { planRestoredRootfs, restoredMount, restoredRoot } from './restored-rootfs.ts'
import { containerCgroup, needProcess, planSurroundings } from './start.ts'
import { Trees } from './trees.ts'

/**
 * The program that brings a container back from criu's images: everything on the host, its network and its files as at a
 * start; then criu, in the container's cgroup, makes the other namespaces and the processes. Pure. EngineError
 * (INVALID_ARGUMENT) for a spec that cannot be restored.
 */
export function compileRestore(input: StartInput, restore: RestoreInput, host: HostFacts): Program {
  const { spec, network } = input
  const process = needProcess(spec)
  const cgroupPath = containerCgroup(input)
  const namespaces = planNamespaces(spec)
  if (namespaces.hasUser) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'a container with a user namespace of its own cannot be restored from a checkpoint',
    )
  }
  if (!namespaces.isNew('mount')) {
    throw new EngineError('INVALID_ARGUMENT', 'a restore needs a mount namespace of its own')
  }
  const resources = spec.linux?.resources ?? {}
  const cgroup = planCgroup(
    { path: cgroupPath, resources, cpuset: input.cpuset, hasUserNamespace: false },
    host,
  )
  const trees = new Trees()
  const rootfs = planRestoredRootfs(
    {
      spec,
      rootfs: input.rootfs,
      cgroupPath,
      // criu makes it with the filesystem that it is in.
      hasTerminal: false,
      hasCgroupNamespace: namespaces.isNew('cgroup'),
      hasMountNamespace: true,
      hasUserNamespace: false,
      initBinary: input.initBinary,
      trees,
      beforePivot: input.afterMounts ?? [],
    },
    restore.mounts,
    host,
  )
  return [
    ...planSurroundings(input, process),
    ...cgroup.make,
    ...cgroup.makeMore,
    ...namespaces.open,
    ...trees.ops,
    {
      op: 'clone',
      flags: namespaces.cloneFlags & (CLONE.CLONE_NEWNS | CLONE.CLONE_NEWNET),
      cgroup: cgroup.cloneInto,
    },
    ...network.hostOps,
    ...cgroup.join,

    ...namespaces.enter,
    ...namespaces.enterCgroup,
    ...network.childOps,
    ...networkSysctls(spec),
    ...rootfs,
    restoreOp(input, restore),
    ...restore.afterwards,
  ]
}

function restoreOp(input: StartInput, restore: RestoreInput): Op {
  const { mountpoint } = input.rootfs
  const root = restoredRoot(mountpoint)
  const external = restore.mounts.map(
    (path, index) => `mnt[${path}]:${restoredMount(mountpoint, index)}`,
  )
  const [criu = ''] = restore.args
  const request = input.stdio.tty ? restore.request : undefined
  if (request !== undefined) {
    return {
      op: 'restore',
      pid_file: '',
      args: [criu, 'swrk', String(RESTORE_SOCKET_FD)],
      env: restore.env,
      request: request({ root, external }),
    }
  }
  const files = external.flatMap((one) => ['--external', one])
  return {
    op: 'restore',
    pid_file: restore.pidFile,
    args: [...restore.args, '--pidfile', restore.pidFile, '--root', root, ...files],
    env: restore.env,
    request: new Uint8Array(),
  }
}

/** The network namespace is made here; criu restores the sysctls of the others. */
function networkSysctls(spec: RuntimeSpec): Op[] {
  return Object.entries(spec.linux?.sysctl ?? {})
    .filter(([key]) => key.startsWith('net.'))
    .map(([key, value]) => ({ op: 'sysctl', key, value }))
}
