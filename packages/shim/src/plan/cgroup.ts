import { EngineError } from '@ctr/errdefs'
import {
  type CgroupHierarchy,
  type CgroupWrite,
  type CpusetFacts,
  cgroupDirectory,
  cgroupLimits,
  devicePolicy,
  deviceProgramV2,
  deviceWritesV1,
  findHierarchy,
  type HostFacts,
} from '@ctr/linux'
import type { RuntimeResources } from '@ctr/oci'
import type { Op } from '../ops.ts'

/** One cgroup of a container, in all hierarchies of the host. */
export interface CgroupPlan extends Membership {
  /** Host side: directories, limits, device policy, OOM watch. Before clone, what that needs or what it puts into force. */
  readonly make: readonly Op[]
  /** The rest, before the child joins. */
  readonly makeMore: readonly Op[]
}

export interface Membership {
  /** v2 directory for CLONE_INTO_CGROUP; empty if there is none. */
  readonly cloneInto: string
  /** After clone, before anything else: v1 membership. On the child's side where it may, see `planMembership`. */
  readonly join: readonly Op[]
}

export interface CgroupInput {
  /** `/ctr/<id>`. */
  readonly path: string
  readonly resources: RuntimeResources
  /** The parent's values, where the container has none of its own; undefined: the host's. */
  readonly cpuset: CpusetFacts | undefined
  readonly hasUserNamespace: boolean
}

export function planCgroup(input: CgroupInput, host: HostFacts): CgroupPlan {
  const directories = (version: 1 | 2): Op[] =>
    host.cgroups.hierarchies
      .filter((hierarchy) => hierarchy.version === version)
      .map((hierarchy) => ({ op: 'cgroup', path: cgroupDirectory(hierarchy, input.path) }))
  const more = [
    ...directories(1),
    ...planCpuset(input, host),
    ...planLimits(input, host),
    ...planDevicePolicy(input, host),
    ...planOomWatch(input.path, host),
  ]
  const isV2 = host.cgroups.mode === 'v2'
  return {
    make: [...directories(2), ...(isV2 ? more : [])],
    makeMore: isV2 ? [] : more,
    ...planMembership(input.path, input.hasUserNamespace, host),
  }
}

/**
 * Entering an existing cgroup. On v1 the child moves itself by writing 0 to `tasks`: a thread that moves itself needs no
 * lock on its thread group, while a pid written to cgroup.procs by another waits for an RCU grace period (measured: 8–27 ms
 * on an idle host; kernel/cgroup/cgroup.c, cgroup_procs_write_start). In a user namespace of its own it may not write there.
 */
export function planMembership(
  path: string,
  hasUserNamespace: boolean,
  host: HostFacts,
  controllers: ReadonlyMap<string, string> = new Map(),
): Membership {
  const { hierarchies } = host.cgroups
  const pathIn = (hierarchy: CgroupHierarchy): string => {
    const own = hierarchy.controllers.find((controller) => controllers.has(controller))
    return (own === undefined ? undefined : controllers.get(own)) ?? path
  }
  const v2 = hierarchies.find((hierarchy) => hierarchy.version === 2)
  return {
    cloneInto: v2 === undefined ? '' : cgroupDirectory(v2, path),
    join: hierarchies
      .filter((hierarchy) => hierarchy.version === 1)
      .map(
        (hierarchy): Op =>
          hasUserNamespace
            ? { op: 'write_pid', path: file(hierarchy, pathIn(hierarchy), 'cgroup.procs') }
            : {
                op: 'write',
                side: 'child',
                path: file(hierarchy, pathIn(hierarchy), 'tasks'),
                data: SELF,
              },
      ),
  }
}

const SELF = Buffer.from('0')

/** A v1 cpuset without cpus and mems cannot be entered, so both are always written. cgroup-v1/cpusets.rst */
function planCpuset({ path, resources, cpuset }: CgroupInput, host: HostFacts): Op[] {
  const hierarchy = findHierarchy(host.cgroups, 'cpuset')
  if (hierarchy?.version !== 1) return []
  const inherited = cpuset ?? { cpus: host.onlineCpus, mems: host.onlineMems }
  const both = (cgroup: string): Op[] => [
    write(file(hierarchy, cgroup, 'cpuset.cpus'), inherited.cpus),
    write(file(hierarchy, cgroup, 'cpuset.mems'), inherited.mems),
  ]
  const [ownCpus, ownMems] = both(path)
  return [
    // With the parent's values given, the parent is ready (prepareCgroupParent).
    ...(cpuset === undefined ? parents(path).flatMap(both) : []),
    ...(isSet(resources.cpu?.cpus) || ownCpus === undefined ? [] : [ownCpus]),
    ...(isSet(resources.cpu?.mems) || ownMems === undefined ? [] : [ownMems]),
  ]
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== ''
}

/** `/a`, `/a/b` for `/a/b/c`. */
function parents(path: string): string[] {
  const names = path.split('/').filter(Boolean)
  return names.slice(0, -1).map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
}

function planLimits({ path, resources }: CgroupInput, host: HostFacts): Op[] {
  return limitWrites(resources, host).map(({ controller, file: name, value, optional }) => {
    const op = write(file(needHierarchy(host, controller), path, name), value)
    return optional === true ? { ...op, optional } : op
  })
}

/** INVALID_ARGUMENT for what this host's cgroups cannot express. */
function limitWrites(resources: RuntimeResources, host: HostFacts): CgroupWrite[] {
  try {
    return cgroupLimits(resources, {
      version: host.cgroups.mode === 'v2' ? 2 : 1,
      kernel: host.kernel,
      hasSwapAccounting: host.hasSwapAccounting,
    })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new EngineError('INVALID_ARGUMENT', cause.message, { cause })
  }
}

function needHierarchy(host: HostFacts, controller: string): CgroupHierarchy {
  const found = findHierarchy(host.cgroups, controller)
  // Beside v1 hierarchies, one of v2 has the controller but not the files.
  const hasFiles = found?.version === 1 || host.cgroups.mode === 'v2'
  if (found !== undefined && hasFiles) return found
  // `unified` may name core files (cgroup.max.depth) that belong to no controller.
  const v2 = host.cgroups.hierarchies.find((one) => one.version === 2)
  if (controller === 'cgroup' && v2 !== undefined) return v2
  throw new EngineError(
    'INVALID_ARGUMENT',
    `this host has no ${controller} cgroup controller: the limit cannot be set`,
  )
}

function planDevicePolicy({ path, resources }: CgroupInput, host: HostFacts): Op[] {
  const rules = resources.devices ?? []
  if (rules.length === 0) return []
  const policy = devicePolicy(rules)
  const v1 = findHierarchy(host.cgroups, 'devices')
  if (v1 !== undefined) {
    return deviceWritesV1(policy).map(({ file: name, value }) => write(file(v1, path, name), value))
  }
  const v2 = host.cgroups.hierarchies.find((hierarchy) => hierarchy.version === 2)
  // Everything is allowed where no program is attached.
  const isOpen = policy.isAllowedByDefault && policy.exceptions.length === 0
  if (v2 === undefined || isOpen) return []
  return [{ op: 'device_bpf', path: cgroupDirectory(v2, path), insns: deviceProgramV2(policy) }]
}

function planOomWatch(path: string, host: HostFacts): Op[] {
  const memory = findHierarchy(host.cgroups, 'memory')
  if (memory === undefined) return []
  const directory = cgroupDirectory(memory, path)
  return [{ op: 'oom_watch', path: directory, version: memory.version, optional: true }]
}

function file(hierarchy: CgroupHierarchy, path: string, name: string): string {
  return `${cgroupDirectory(hierarchy, path)}/${name}`
}

function write(path: string, value: string): Op {
  return { op: 'write', side: 'host', path, data: Buffer.from(value) }
}
