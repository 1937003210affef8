import { cgroupDirectory } from '@ctr/linux'
import { NAMESPACE_TYPES, type NamespaceType } from '@ctr/oci'
import type { ContainerRecord } from './record.ts'
import { containerStatus, isAlive } from './status.ts'

/** What `state` and `list` answer: the OCI state and runc's additions, in runc's order. */
export function runcState(root: string, record: ContainerRecord, owner: string): object {
  const status = containerStatus(root, record)
  const { annotations } = record.spec
  return {
    ociVersion: record.spec.ociVersion,
    id: record.id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
    owner,
  }
}

/** What runc keeps in its state.json, by its names (libcontainer/container_linux.go State). Paths while it lives. */
export function runcDetails(record: ContainerRecord): object {
  const isGone = !isAlive(record.pid, record.startTime)
  return {
    init_process_start: record.startTime,
    namespace_paths: isGone ? {} : namespacePaths(record.pid),
    cgroup_paths: cgroupPaths(record),
    config: record.spec,
  }
}

const NAMESPACES: Readonly<Record<NamespaceType, [key: string, file: string]>> = {
  cgroup: ['NEWCGROUP', 'cgroup'],
  ipc: ['NEWIPC', 'ipc'],
  mount: ['NEWNS', 'mnt'],
  network: ['NEWNET', 'net'],
  pid: ['NEWPID', 'pid'],
  time: ['NEWTIME', 'time'],
  user: ['NEWUSER', 'user'],
  uts: ['NEWUTS', 'uts'],
}

function namespacePaths(pid: number): Record<string, string> {
  return Object.fromEntries(
    NAMESPACE_TYPES.map((type) => {
      const [key, file] = NAMESPACES[type]
      return [key, `/proc/${pid}/ns/${file}`]
    }),
  )
}

/** By controller of v1, `name=systemd` among them; the unified hierarchy has the empty name. */
function cgroupPaths({ cgroups, cgroupPath }: ContainerRecord): Record<string, string> {
  return Object.fromEntries(
    cgroups.hierarchies.flatMap((hierarchy) => {
      const names = hierarchy.version === 2 ? [''] : hierarchy.controllers
      return names.map((name) => [name, cgroupDirectory(hierarchy, cgroupPath)])
    }),
  )
}
