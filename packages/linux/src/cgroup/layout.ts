import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { type MountFact, readMountInfo } from '../mountinfo.ts'

/**
 * How this host mounts its cgroups: v1 (a hierarchy per controller or group of controllers), v2 (one hierarchy), or
 * hybrid (v1 controllers, and a v2 hierarchy beside them). Found from mountinfo, never from fixed paths.
 */
export interface CgroupLayout {
  readonly mode: 'v1' | 'v2' | 'hybrid'
  /** One entry per hierarchy; co-mounted controllers share one. In `hybrid` the v2 hierarchy is the last. */
  readonly hierarchies: readonly CgroupHierarchy[]
}

export interface CgroupHierarchy {
  readonly version: 1 | 2
  /** v1: `['cpu', 'cpuacct']`, `['name=systemd']`. v2: what cgroup.controllers offers at the mount point. */
  readonly controllers: readonly string[]
  readonly mountpoint: string
  /** The path inside the hierarchy that `mountpoint` shows; not `/` inside a container. */
  readonly root: string
  /** Our own cgroup, relative to `mountpoint`; `/` when it cannot be seen from there. */
  readonly own: string
}

/** Controllers of cgroup v1 that the kernel knows. cgroups(7) */
const V1_CONTROLLERS = new Set([
  'blkio',
  'cpu',
  'cpuacct',
  'cpuset',
  'devices',
  'freezer',
  'hugetlb',
  'memory',
  'misc',
  'net_cls',
  'net_prio',
  'perf_event',
  'pids',
  'rdma',
])

export function readCgroupLayout(): CgroupLayout {
  return parseCgroupLayout(
    readMountInfo(),
    readFileSync('/proc/self/cgroup', 'utf8'),
    (mountpoint) => readFileSync(`${mountpoint}/cgroup.controllers`, 'utf8'),
  )
}

/** `ownCgroups` is the text of /proc/self/cgroup, `readControllers` reads a v2 mount's cgroup.controllers. */
export function parseCgroupLayout(
  mounts: readonly MountFact[],
  ownCgroups: string,
  readControllers: (mountpoint: string) => string,
): CgroupLayout {
  const own = parseOwnCgroups(ownCgroups)
  const v1: CgroupHierarchy[] = []
  const v2: CgroupHierarchy[] = []
  for (const mount of mounts) {
    if (mount.type === 'cgroup2' && v2.length === 0) {
      const controllers = readControllers(mount.mountpoint).split(/\s+/).filter(Boolean)
      v2.push(hierarchy(2, controllers, mount, own.get('')))
    }
    if (mount.type !== 'cgroup') continue
    const controllers = mount.superOptions.filter(
      (option) => V1_CONTROLLERS.has(option) || option.startsWith('name='),
    )
    const key = controllers[0]
    // A hierarchy that is mounted twice is one hierarchy: the first mount counts.
    if (key === undefined || v1.some((seen) => seen.controllers.includes(key))) continue
    v1.push(hierarchy(1, controllers, mount, own.get(key)))
  }
  if (v1.length === 0) return { mode: 'v2', hierarchies: v2 }
  return { mode: v2.length === 0 ? 'v1' : 'hybrid', hierarchies: [...v1, ...v2] }
}

function hierarchy(
  version: 1 | 2,
  controllers: readonly string[],
  mount: MountFact,
  own: string | undefined,
): CgroupHierarchy {
  const relative = posix.relative(mount.root, own ?? mount.root)
  const isVisible = !relative.startsWith('..')
  return {
    version,
    controllers,
    mountpoint: mount.mountpoint,
    root: mount.root,
    own: isVisible ? `/${relative}` : '/',
  }
}

/** Controller (or `name=systemd`, or the empty string for v2) → path of our cgroup. */
function parseOwnCgroups(text: string): Map<string, string> {
  const own = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [id, controllers, ...path] = line.split(':')
    if (id === undefined || controllers === undefined) continue
    for (const controller of controllers.split(',')) own.set(controller, path.join(':'))
  }
  return own
}

export function findHierarchy(
  layout: CgroupLayout,
  controller: string,
): CgroupHierarchy | undefined {
  return layout.hierarchies.find((one) => one.controllers.includes(controller))
}

/** Nothing to resolve: no empty part, no dot at the start of one. A dozen of these make up each program. */
const PLAIN_PATH = /^(?:\/[^/.][^/]*)+$/

/** The directory of cgroup `path` (absolute, e.g. `/ctr/<id>`) in a hierarchy. Rejects nothing: `..` is cut off at the mount point. */
export function cgroupDirectory(hierarchy: CgroupHierarchy, path: string): string {
  if (PLAIN_PATH.test(path)) return hierarchy.mountpoint + path
  const inside = posix.resolve('/', path)
  return inside === '/' ? hierarchy.mountpoint : posix.join(hierarchy.mountpoint, inside)
}
