import { posix } from 'node:path'

/** Directories from a hierarchy's mount point down to the cgroup, both included. */
export function ancestors(mountpoint: string, path: string): string[] {
  const names = posix.resolve('/', path).split('/').filter(Boolean)
  return [
    mountpoint,
    ...names.map((_, index) => posix.join(mountpoint, ...names.slice(0, index + 1))),
  ]
}
