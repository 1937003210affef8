import { invalid } from '@ctr/errdefs'
import type { NamespaceType, RuntimeIdMapping, RuntimeNamespace, RuntimeSpec } from '@ctr/oci'
import type { Op } from '../ops.ts'
import { CLONE } from './constants.ts'
import { idMapText } from './trees.ts'

const FLAGS: Readonly<Record<NamespaceType, bigint>> = {
  mount: CLONE.CLONE_NEWNS,
  cgroup: CLONE.CLONE_NEWCGROUP,
  uts: CLONE.CLONE_NEWUTS,
  ipc: CLONE.CLONE_NEWIPC,
  user: CLONE.CLONE_NEWUSER,
  pid: CLONE.CLONE_NEWPID,
  network: CLONE.CLONE_NEWNET,
  time: CLONE.CLONE_NEWTIME,
}

/** How each namespace of the container comes about. A type that is not listed is the host's. */
export interface NamespacePlan {
  /** For clone(2). */
  readonly cloneFlags: bigint
  /** Host side, before clone: files of namespaces to enter, and the pid namespace. */
  readonly open: readonly Op[]
  /** Child side, first of all. */
  readonly enter: readonly Op[]
  /** When the child is in its cgroups, in which a new cgroup namespace has its root. */
  readonly enterCgroup: readonly Op[]
  /** A new one or one that exists: the container's root is not the host's. */
  readonly hasUser: boolean
  /** A new one or one that exists, in which then the root is changed for all. */
  readonly hasMount: boolean
  readonly isNew: (type: NamespaceType) => boolean
}

export function planNamespaces(spec: RuntimeSpec): NamespacePlan {
  const namespaces = spec.linux?.namespaces ?? []
  const types = namespaces.map((one) => one.type)
  const unknown = types.find((type) => !Object.hasOwn(FLAGS, type))
  if (unknown !== undefined) throw invalid(`unknown namespace type ${JSON.stringify(unknown)}`)
  const repeated = types.find((type, index) => types.indexOf(type) !== index)
  if (repeated !== undefined) throw invalid(`namespace ${repeated} is listed twice`)
  const isNew = (type: NamespaceType): boolean =>
    namespaces.some((one) => one.type === type && isEmpty(one.path))
  const joined = namespaces.filter((one) => !isEmpty(one.path))
  const hasUser = types.includes('user')
  // New namespaces belong to the user namespace of who makes them, so one that exists is entered before they are made.
  const isUserJoined = hasUser && !isNew('user')
  const isEarly = (one: RuntimeNamespace): boolean =>
    isUserJoined ? one.type !== 'cgroup' : one.type === 'pid' && pidOf(one.path) === undefined
  const viaPid = joined.filter((one) => one.type === 'pid' && !isEarly(one))
  const viaFile = joined.filter((one) => !viaPid.includes(one))
  const setns = viaFile.flatMap((one, slot) =>
    isEarly(one) ? [] : [{ op: 'setns' as const, slot, type: FLAGS[one.type] }],
  )
  return {
    // The cgroup namespace's root is where the process is when it is made: after it was moved, see `enterCgroup`.
    cloneFlags: types
      .filter((type) => isNew(type) && type !== 'cgroup' && type !== 'time')
      .reduce((flags, type) => flags | FLAGS[type], 0n),
    open: [
      ...(isNew('time') ? [{ op: 'time_namespace', offsets: timeOffsets(spec) } as const] : []),
      ...viaFile.map((one, slot): Op => ({ op: 'open', slot, path: one.path ?? '' })),
      ...viaFile.flatMap((one, slot): Op[] =>
        isEarly(one) ? [{ op: 'clone_in', slot, type: FLAGS[one.type] }] : [],
      ),
      ...viaPid.map((one): Op => ({ op: 'join', pid: pidOf(one.path) ?? 0, start_time: 0n })),
    ],
    enter: setns.filter(({ type }) => type !== CLONE.CLONE_NEWCGROUP),
    enterCgroup: [
      ...setns.filter(({ type }) => type === CLONE.CLONE_NEWCGROUP),
      ...(isNew('cgroup') ? [{ op: 'unshare', flags: CLONE.CLONE_NEWCGROUP } as const] : []),
    ],
    isNew,
    hasMount: types.includes('mount'),
    hasUser,
  }
}

/** Lines of /proc/PID/timens_offsets. time_namespaces(7) */
function timeOffsets(spec: RuntimeSpec): string {
  return Object.entries(spec.linux?.timeOffsets ?? {})
    .map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`)
    .join('')
}

/** Namespaces that an exec enters: all that the container does not share with the host; pid comes by `join`. */
export function execNamespaces(spec: RuntimeSpec): bigint {
  return (spec.linux?.namespaces ?? [])
    .filter((one) => one.type !== 'pid')
    .reduce((flags, one) => flags | FLAGS[one.type], 0n)
}

/** Of a process in the namespace, by which the parent enters it for the child to come. */
function pidOf(path = ''): number | undefined {
  const match = /^\/proc\/(\d{1,10})\/ns\/pid$/.exec(path)
  return match === null ? undefined : Number(match[1])
}

export function planIdMap(spec: RuntimeSpec): Op[] {
  const { uidMappings, gidMappings } = spec.linux ?? {}
  return [
    {
      op: 'id_map',
      uid_map: idMap(uidMappings ?? []),
      gid_map: idMap(gidMappings ?? []),
      setgroups: 'allow',
    },
  ]
}

/** user_namespaces(7): lines `inside outside count`. Without root nothing could be set up. */
function idMap(mappings: readonly RuntimeIdMapping[]): string {
  if (!mappings.some(({ containerID, size }) => containerID === 0 && size > 0)) {
    throw invalid('user namespace: the id mappings do not map root (0)')
  }
  return idMapText(mappings)
}

function isEmpty(path: string | undefined): boolean {
  return path === undefined || path === ''
}
