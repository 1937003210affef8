import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { type CgroupLayout, cgroupDirectory, findHierarchy } from './layout.ts'

/** What a container's cpuset takes over when it says nothing itself. */
export interface CpusetFacts {
  readonly cpus: string
  readonly mems: string
}

/**
 * Makes the parent of containers' cgroups ready in every hierarchy: v1 cpuset values are copied down where they are
 * empty (a process cannot enter otherwise), v2 controllers are enabled on the way. Idempotent, cheap when all is there;
 * it stays when the last container goes. Returns the parent's cpuset, for compileStart.
 */
export function prepareCgroupParent(layout: CgroupLayout, parent: string): CpusetFacts | undefined {
  for (const hierarchy of layout.hierarchies) {
    mkdirSync(cgroupDirectory(hierarchy, parent), { recursive: true, mode: 0o755 })
    if (hierarchy.version === 2 && layout.mode === 'v2') {
      for (const directory of ancestors(hierarchy.mountpoint, parent)) {
        enableControllers(directory)
      }
    }
  }
  const cpuset = findHierarchy(layout, 'cpuset')
  if (cpuset?.version !== 1) return undefined
  let facts = readCpuset(cpuset.mountpoint)
  for (const directory of ancestors(cpuset.mountpoint, parent).slice(1)) {
    facts = inheritCpuset(directory, facts)
  }
  return facts
}

/** From the mount point down to the cgroup, both included. */
function ancestors(mountpoint: string, path: string): string[] {
  const names = posix.resolve('/', path).split('/').filter(Boolean)
  return [
    mountpoint,
    ...names.map((_, index) => posix.join(mountpoint, ...names.slice(0, index + 1))),
  ]
}

/** One at a time, so that one that cannot be enabled does not hinder the others. */
function enableControllers(directory: string): void {
  const available = readWords(`${directory}/cgroup.controllers`)
  const enabled = readWords(`${directory}/cgroup.subtree_control`)
  for (const controller of available.filter((one) => !enabled.includes(one))) {
    try {
      writeFileSync(`${directory}/cgroup.subtree_control`, `+${controller}`)
    } catch (error) {
      // Processes in the parent, threaded cgroups, real-time tasks: the limits of this controller will fail, by name.
      if (!isErrno(error, 'EBUSY', 'EINVAL', 'EOPNOTSUPP', 'ENOENT', 'EPERM')) throw error
    }
  }
}

function readWords(path: string): string[] {
  return readFileSync(path, 'utf8').split(/\s+/).filter(Boolean)
}

function readCpuset(directory: string): CpusetFacts {
  const read = (file: string): string => readFileSync(`${directory}/${file}`, 'utf8').trim()
  return { cpus: read('cpuset.cpus'), mems: read('cpuset.mems') }
}

function inheritCpuset(directory: string, parent: CpusetFacts): CpusetFacts {
  const own = readCpuset(directory)
  if (own.cpus === '') writeFileSync(`${directory}/cpuset.cpus`, parent.cpus)
  if (own.mems === '') writeFileSync(`${directory}/cpuset.mems`, parent.mems)
  return { cpus: own.cpus || parent.cpus, mems: own.mems || parent.mems }
}
