import { existsSync, readFileSync } from 'node:fs'

/** Where the limit of a process is, in the files of either cgroup version. */
export interface LimitFile {
  readonly controller: string
  readonly v1: string
  readonly v2: string
}

/** Directory of a process's cgroup for a controller, found as cgroups(7) describes, never by a fixed path. */
export function cgroupDirectory(pid: number, controller: string): { path: string; version: 1 | 2 } {
  const memberships = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')
  for (const line of memberships) {
    const [, controllers = '', ...path] = line.split(':')
    if (controllers.split(',').includes(controller)) {
      return { path: `${v1MountPoint(controller)}${path.join(':')}`, version: 1 }
    }
  }
  const unified = memberships.find((line) => line.startsWith('0::'))?.slice(3) ?? '/'
  return { path: `${v2MountPoint()}${unified}`, version: 2 }
}

export function readLimit(pid: number, limit: LimitFile): string {
  const { path, version } = cgroupDirectory(pid, limit.controller)
  return readFileSync(`${path}/${version === 1 ? limit.v1 : limit.v2}`, 'utf8').trim()
}

export function hasCgroupV1(controller: string): boolean {
  return mountLines().some(({ type, options }) => type === 'cgroup' && options.includes(controller))
}

/** Every directory that a process belongs to, one per hierarchy. */
export function cgroupDirectories(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')
  return lines
    .map((line) => {
      const [id = '', controllers = '', ...rest] = line.split(':')
      const first = controllers.split(',')[0] ?? ''
      const point = id === '0' ? v2MountPoint() : v1MountPoint(first)
      return `${point}${rest.join(':')}`
    })
    .filter((path) => existsSync(path))
}

function v1MountPoint(controller: string): string {
  const name = controller.startsWith('name=') ? controller : controller
  const line = mountLines().find(({ type, options }) => type === 'cgroup' && options.includes(name))
  return line?.point ?? '/nonexistent'
}

function v2MountPoint(): string {
  return mountLines().find(({ type }) => type === 'cgroup2')?.point ?? '/nonexistent'
}

/** proc_pid_mountinfo(5) */
function mountLines(): { point: string; type: string; options: string[] }[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ')
      const [type = '', , options = ''] = right.split(' ')
      return { point: left.split(' ')[4] ?? '', type, options: options.split(',') }
    })
}
