import { accessSync, constants, existsSync } from 'node:fs'

export interface Requirements {
  readonly root?: boolean
  /** Programs that must be on the PATH. */
  readonly commands?: readonly string[]
  /** Files, devices or directories that must exist. */
  readonly files?: readonly string[]
  /** Controllers that must be mounted as cgroup v1 hierarchies. */
  readonly cgroupV1?: readonly string[]
}

/** The value for `{ skip: … }` of node:test: false, or the reason why this machine cannot run the test. */
export function requires(needs: Requirements): string | false {
  if (needs.root === true && process.getuid?.() !== 0) return 'needs root'
  for (const name of needs.commands ?? []) {
    if (!onPath(name)) return `needs the command ${name}, which is not installed`
  }
  for (const path of needs.files ?? []) {
    if (!existsSync(path)) return `needs ${path}`
  }
  for (const controller of needs.cgroupV1 ?? []) {
    if (!existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`)) {
      return `needs the cgroup v1 hierarchy ${controller}`
    }
  }
  return false
}

function onPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((directory) => {
    try {
      accessSync(`${directory}/${name}`, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
