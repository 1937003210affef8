import { invalid } from '@ctr/errdefs'
import { type HostFacts, seccompFlags } from '@ctr/linux'
import {
  capabilityMask,
  type RuntimeProcess,
  type RuntimeSpec,
  rlimitNumber,
  rlimitValue,
} from '@ctr/oci'
import {
  type Op,
  STDIO_INHERIT,
  STDIO_STARTER_ERR,
  STDIO_STARTER_OUT,
  STDIO_STDIN,
  STDIO_STDIN_ONCE,
  STDIO_TTY,
} from '../ops.ts'
import { PERSONALITY } from './constants.ts'
import type { Handover, Stdio } from './input.ts'
import { planMemoryPolicy } from './memory-policy.ts'
import { planScheduling } from './scheduling.ts'
import { containerIdMaps, hostId } from './trees.ts'

/** The child's last steps, the same for a container's init process and for an exec. */
export interface ProcessInput {
  readonly spec: RuntimeSpec
  readonly process: RuntimeProcess
  readonly args: readonly string[]
  /** What runs under the name `args[0]`; absent: that. */
  readonly program?: string | undefined
  /** The CPUs to run on, of the cpuset's: a list, or empty for all. Absent: those of who starts it. */
  readonly cpus?: string | undefined
  readonly seccompFilter: Uint8Array | undefined
  readonly waitForStart: boolean
  /** Wait at the FIFO, as late as possible: then a create tells what a start would fail with. */
  readonly isGated: boolean
}

const DEFAULT_UMASK = 0o022

/**
 * From a set-up root filesystem to execve. Without no_new_privs seccomp(2) needs a capability, so the filter comes
 * before they go; with it the filter comes last, so that it need not allow what the setup does.
 */
export function planProcess(input: ProcessInput, host: HostFacts): Op[] {
  const { process } = input
  if (input.args.length === 0) throw invalid('no command specified')
  const seccomp = planSeccomp(input)
  const isLocked = process.noNewPrivileges === true
  return [
    ...planLabels(process, host),
    ...planPersonality(input.spec),
    ...planAffinity(input),
    ...(input.program === undefined ? [] : [{ op: 'program', path: input.program } as const]),
    { op: 'umask', mask: process.user.umask ?? DEFAULT_UMASK },
    ...(input.waitForStart ? [{ op: 'wait_start' } as const] : []),
    // Late, so that a small limit does not hinder the setup; before the right to raise a hard limit goes.
    ...planRlimits(process),
    ...planScheduling(process),
    ...planMemoryPolicy(input.spec.linux?.memoryPolicy),
    // As root: the user of the container may well lack the right to enter it.
    { op: 'chdir', path: process.cwd },
    ...(isLocked ? [{ op: 'no_new_privs' } as const] : seccomp),
    ...planIdentity(process, host),
    ...(input.isGated ? [{ op: 'gate' } as const] : []),
    ...(isLocked ? seccomp : []),
    { op: 'exec', args: input.args, env: process.env ?? [] },
  ]
}

/** EPERM comes where we may not raise a hard limit: the container runs with ours, and a warning. */
function planRlimits(process: RuntimeProcess): Op[] {
  return (process.rlimits ?? []).map(({ type, soft, hard }) => {
    const resource = rlimitNumber(type)
    if (resource === undefined) throw invalid(`invalid ulimit type: ${type}`)
    return {
      op: 'rlimit',
      resource,
      soft: rlimitValue(soft),
      hard: rlimitValue(hard),
      optional: true,
    }
  })
}

/** Lowering it takes CAP_SYS_RESOURCE. The root of a user namespace may not write it before its execve. */
export function planOomScore(process: RuntimeProcess, isByHost = false): Op[] {
  const { oomScoreAdj } = process
  if (oomScoreAdj === undefined) return []
  if (!Number.isInteger(oomScoreAdj) || oomScoreAdj < -1000 || oomScoreAdj > 1000) {
    throw invalid(`invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`)
  }
  const value = String(oomScoreAdj)
  return isByHost
    ? [{ op: 'child_proc', name: 'oom_score_adj', data: Buffer.from(value), optional: true }]
    : [{ op: 'oom_score_adj', value, optional: true }]
}

/** The ids that the host knows the user by: owner of the pipes. */
export function hostUser(process: RuntimeProcess, spec: RuntimeSpec): { uid: number; gid: number } {
  const { uid, gid } = process.user
  const { uids, gids } = containerIdMaps(spec)
  if (uids.length === 0 && gids.length === 0) return { uid, gid }
  return { uid: hostId(uid, uids, 'user'), gid: hostId(gid, gids, 'group') }
}

/** Pipes belong to `user`, by the host's ids; a terminal and inherited descriptors are given away in the container. */
export function planStdio(
  stdio: Stdio,
  process: RuntimeProcess,
  user: { uid: number; gid: number },
  handover?: Handover,
): Op {
  const owner = stdio.tty || handover !== undefined ? process.user : user
  return {
    op: 'stdio',
    flags:
      (stdio.stdin ? STDIO_STDIN : 0) |
      (stdio.tty ? STDIO_TTY : 0) |
      (stdio.stdinOnce ? STDIO_STDIN_ONCE : 0) |
      (stdio.toStarter?.stdout === true ? STDIO_STARTER_OUT : 0) |
      (stdio.toStarter?.stderr === true ? STDIO_STARTER_ERR : 0) |
      (handover === undefined ? 0 : STDIO_INHERIT),
    uid: owner.uid,
    gid: owner.gid,
    rows: stdio.rows,
    columns: stdio.columns,
  }
}

const NO_SELINUX = 'selinux label is specified in config, but selinux is disabled or not supported'

function planLabels(process: RuntimeProcess, host: HostFacts): Op[] {
  const profile = process.apparmorProfile ?? ''
  const label = process.selinuxLabel ?? ''
  // Not confined is what a process is without AppArmor.
  const isConfined = profile !== '' && profile !== 'unconfined'
  if (isConfined && !host.appArmor) throw invalid('AppArmor is not enabled on this host')
  if (label !== '' && !host.seLinux) throw invalid(NO_SELINUX)
  return [
    ...(profile === '' || !host.appArmor
      ? []
      : [{ op: 'label', name: 'apparmor/exec', value: `exec ${profile}` } as const]),
    ...(label === '' ? [] : [{ op: 'label', name: 'exec', value: label } as const]),
  ]
}

function planPersonality(spec: RuntimeSpec): Op[] {
  const domain = spec.linux?.personality?.domain
  if (domain === undefined) return []
  const persona = Object.hasOwn(PERSONALITY, domain) ? PERSONALITY[domain] : undefined
  if (persona === undefined) throw invalid(`unknown personality ${JSON.stringify(domain)}`)
  return [{ op: 'personality', persona }]
}

function planAffinity({ cpus }: ProcessInput): Op[] {
  if (cpus === undefined) return []
  return [{ op: 'affinity', mask: cpus === '' ? Buffer.alloc(0) : cpuMask(cpus) }]
}

const CPUS_MAX = 8192

/** Of a list such as `0-3,7`. */
function cpuMask(list: string): Uint8Array {
  const mask = Buffer.alloc(CPUS_MAX / 8)
  for (const part of list.split(',')) {
    const [, first = '', last = first] = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part) ?? []
    if (first === '' || Number(last) < Number(first) || Number(last) >= CPUS_MAX) {
      throw invalid(`invalid CPU list ${JSON.stringify(list)}`)
    }
    for (let cpu = Number(first); cpu <= Number(last); cpu++) {
      mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7))
    }
  }
  return mask
}

function planSeccomp({ spec, seccompFilter }: ProcessInput): Op[] {
  if (seccompFilter === undefined) return []
  const profile = spec.linux?.seccomp
  const flags = profile === undefined ? 0 : seccompFlags(profile)
  return [{ op: 'seccomp', filter: seccompFilter, flags }]
}

/** Bounding set, user and groups, then the other sets: in this order each step still may. capabilities(7) */
function planIdentity(process: RuntimeProcess, host: HostFacts): Op[] {
  const { user, capabilities } = process
  // What this kernel does not know, or this host does not let us have, is left out, as runc does.
  const mask = (names: readonly string[] | undefined): bigint =>
    capabilityMask(names ?? [], host.lastCapability) & host.heldCapabilities
  const permitted = mask(capabilities?.permitted)
  const inheritable = mask(capabilities?.inheritable)
  return [
    { op: 'bounding', mask: mask(capabilities?.bounding) },
    {
      op: 'user',
      uid: user.uid,
      gid: user.gid,
      groups: encodeGroups(user.additionalGids ?? []),
    },
    {
      op: 'capabilities',
      effective: mask(capabilities?.effective) & permitted,
      permitted,
      inheritable,
      // A capability outside the other two cannot be ambient.
      ambient: mask(capabilities?.ambient) & inheritable & permitted,
    },
  ]
}

function encodeGroups(groups: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(groups.length * 4)
  groups.forEach((group, index) => {
    bytes.writeUInt32LE(group, index * 4)
  })
  return bytes
}
