import { posix } from 'node:path'
import { invalidArgument } from './errors.ts'
import type { ContainerRecord } from './record.ts'

export interface SubCgroups {
  /** Where nothing else is said. */
  readonly cgroupsPath: string
  /** v1: paths by controller. */
  readonly controllerCgroups: ReadonlyMap<string, string>
}

/** `exec --cgroup [CONTROLLER[,CONTROLLER…]:]PATH`, a cgroup below the container's. The texts are runc's. */
export function subCgroups(
  { cgroupPath, cgroups }: Pick<ContainerRecord, 'cgroupPath' | 'cgroups'>,
  args: readonly string[],
): SubCgroups {
  const controllerCgroups = new Map<string, string>()
  let cgroupsPath = cgroupPath
  for (const arg of args) {
    const [, names, path = ''] = /^(?:([^:]*):)?(.*)$/s.exec(arg) ?? []
    if (names === undefined) {
      if (args.length > 1) throw invalid(`${arg} (missing <controller>: prefix)`)
      cgroupsPath = below(cgroupPath, path)
      continue
    }
    for (const name of names.split(',')) {
      if (name === '') throw invalid(`${arg} (empty <controller> prefix)`)
      if (controllerCgroups.has(name)) {
        throw invalidArgument(
          `invalid --cgroup argument(s): controller ${name} specified multiple times`,
        )
      }
      const isKnown = cgroups.hierarchies.some(
        ({ version, controllers }) => version === 1 && controllers.includes(name),
      )
      if (!isKnown) throw invalidArgument(`unknown controller ${name} in SubCgroupPaths`)
      controllerCgroups.set(name, below(cgroupPath, path))
    }
  }
  return { cgroupsPath, controllerCgroups }
}

function below(parent: string, path: string): string {
  const full = posix.join(parent, path).replace(/\/$/, '')
  if (full === parent || full.startsWith(`${parent}/`)) return full
  throw invalidArgument(`bad sub cgroup path: ${path}`)
}

function invalid(text: string): Error {
  return invalidArgument(`invalid --cgroup argument: ${text}`)
}
