import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Where the limit of a process is, in the files of either cgroup version. */
export interface LimitFile {
  readonly controller: string
  readonly v1: string
  readonly v2: string
}

/** Directory of a process's cgroup for a controller, found as cgroups(7) describes, never by a fixed path. */
export function cgroupDirectory(pid: number, controller: string): { path: string; version: 1 | 2 } {
  const of = memberships(pid)
  const v1 = of.find(({ controllers }) => controllers.includes(controller))
  const path = directory(v1 ?? of.find(({ controllers }) => controllers[0] === ''))
  return { path: path ?? '/nonexistent', version: v1 === undefined ? 2 : 1 }
}

export function readLimit(pid: number, limit: LimitFile): string {
  const { path, version } = cgroupDirectory(pid, limit.controller)
  return readFileSync(`${path}/${version === 1 ? limit.v1 : limit.v2}`, 'utf8').trim()
}

/** What a cgroup has used, in all. */
export interface CpuUse {
  readonly usedUs: number
  /** Periods of the quota in which it ran, and in how many of them it used the quota up. */
  readonly periods: number
  readonly throttled: number
}

/** Of the cgroup of a process: exact, where what a process has used is sampled. */
export function cpuUse(pid: number): CpuUse {
  const { path, version } = cgroupDirectory(pid, 'cpu')
  const stat = readFileSync(`${path}/cpu.stat`, 'utf8')
  const count = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0)
  const usage = (): number =>
    Number(readFileSync(`${cgroupDirectory(pid, 'cpuacct').path}/cpuacct.usage`, 'utf8')) / 1000
  return {
    usedUs: version === 1 ? usage() : count('usage_usec'),
    periods: count('nr_periods'),
    throttled: count('nr_throttled'),
  }
}

/** What was used between two looks. */
export function cpuUsed(before: CpuUse, after: CpuUse): CpuUse {
  return {
    usedUs: after.usedUs - before.usedUs,
    periods: after.periods - before.periods,
    throttled: after.throttled - before.throttled,
  }
}

/** The parent of a test's containers comes before all else that the machine does: their quotas are all that holds them back. */
export function preferParent(pid: number): void {
  const { path, version } = cgroupDirectory(pid, 'cpu')
  const [file, most] = version === 1 ? ['cpu.shares', '262144'] : ['cpu.weight', '10000']
  writeFileSync(join(dirname(path), file ?? ''), most ?? '')
}

export function hasCgroupV1(controller: string): boolean {
  return mounts().some(({ type, options }) => type === 'cgroup' && options.includes(controller))
}

/** Every directory that a process belongs to, one per hierarchy that is mounted. */
export function cgroupDirectories(pid: number): string[] {
  return memberships(pid)
    .map(directory)
    .filter((path) => path !== undefined)
    .filter((path) => existsSync(path))
}

interface Membership {
  /** `['']` in the hierarchy of version 2. */
  readonly controllers: readonly string[]
  readonly cgroup: string
}

function memberships(pid: number): Membership[] {
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [, controllers = '', ...cgroup] = line.split(':')
      return { controllers: controllers.split(','), cgroup: cgroup.join(':') }
    })
}

/** In a container a mount shows only the part of a hierarchy below the container's own cgroup. */
function directory(membership: Membership | undefined): string | undefined {
  if (membership === undefined) return undefined
  const { controllers, cgroup } = membership
  const mount = mounts().find(({ type, options }) =>
    controllers[0] === ''
      ? type === 'cgroup2'
      : type === 'cgroup' && options.includes(controllers[0] ?? ''),
  )
  if (mount === undefined) return undefined
  const inside = relative(mount.root, cgroup)
  return inside.startsWith('..') ? undefined : join(mount.point, inside)
}

/** proc_pid_mountinfo(5) */
function mounts(): { root: string; point: string; type: string; options: string[] }[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ')
      const [, , , root = '', point = ''] = left.split(' ')
      const [type = '', , options = ''] = right.split(' ')
      return { root, point, type, options: options.split(',') }
    })
}
