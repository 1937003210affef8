import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { ancestors } from './ancestors.ts'
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
 *
 * Inside a container of its own (an engine in an engine) all processes of the v2 cgroup that is seen as the root move
 * into its leaf `init`: a cgroup with processes cannot give controllers to those below it. cgroup-v2.rst, "No Internal
 * Process Constraint"
 *
 * UNAVAILABLE where cgroups are mounted read-only, as in a container.
 */
export function prepareCgroupParent(layout: CgroupLayout, parent: string): CpusetFacts | undefined {
  try {
    return prepare(layout, parent)
  } catch (cause) {
    // Node says ENOENT of a directory that it cannot make there.
    const place = layout.hierarchies.map(({ mountpoint }) => mountpoint).find(isReadOnly)
    if (place === undefined) throw cause
    throw new EngineError(
      'UNAVAILABLE',
      `cannot make cgroups for containers: ${place} is mounted read-only, as in a container without --privileged: run that with --privileged, or mount -o remount,rw it`,
      { cause },
    )
  }
}

function isReadOnly(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return false
  } catch (error) {
    return isErrno(error, 'EROFS')
  }
}

function prepare(layout: CgroupLayout, parent: string): CpusetFacts | undefined {
  for (const hierarchy of layout.hierarchies) {
    mkdirSync(cgroupDirectory(hierarchy, parent), { recursive: true, mode: 0o755 })
    if (hierarchy.version === 2 && layout.mode === 'v2') {
      const [top = '', ...below] = ancestors(hierarchy.mountpoint, parent)
      // Only the real root has no type. Processes move only if they are in the way.
      if (existsSync(`${top}/cgroup.type`) && !canEnableAll(top)) moveIntoLeaf(top)
      for (const directory of [top, ...below]) enableControllers(directory)
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

const LEAF = 'init'
/** New processes may come while we move the others, but not for ever. */
const MOVE_ROUNDS = 100

function moveIntoLeaf(directory: string): void {
  mkdirSync(`${directory}/${LEAF}`, { recursive: true, mode: 0o755 })
  for (let round = 0; round < MOVE_ROUNDS; round++) {
    // 0 stands for processes of a pid namespace above ours: not ours to move.
    const pids = readWords(`${directory}/cgroup.procs`).filter((pid) => pid !== '0')
    if (pids.length === 0) return
    for (const pid of pids) move(pid, `${directory}/${LEAF}`)
  }
}

function move(pid: string, directory: string): void {
  try {
    writeFileSync(`${directory}/cgroup.procs`, pid)
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

/**
 * All together: with processes about, cpu, cpuset and pids alone would be enabled, and the cgroup become the root of a
 * threaded subtree, which takes none of the others. False: there are processes. cgroup-v2.rst, "Threads"
 */
function canEnableAll(directory: string): boolean {
  const words = disabledControllers(directory).map((controller) => `+${controller}`)
  if (words.length === 0) return true
  try {
    writeFileSync(`${directory}/cgroup.subtree_control`, words.join(' '))
    return true
  } catch (error) {
    return !isErrno(error, 'EBUSY', 'EOPNOTSUPP')
  }
}

function disabledControllers(directory: string): string[] {
  const enabled = readWords(`${directory}/cgroup.subtree_control`)
  return readWords(`${directory}/cgroup.controllers`).filter((one) => !enabled.includes(one))
}

/** One at a time, so that one that cannot be enabled does not hinder the others. */
function enableControllers(directory: string): void {
  for (const controller of disabledControllers(directory)) {
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
