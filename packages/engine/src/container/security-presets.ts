import { EngineError } from '@ctr/errdefs'
import type { Capability, RuntimeSeccomp } from '@ctr/oci'

/**
 * `--security-opt profile=high|medium|low`: nsinit's profiles. Capabilities in place of Docker's fourteen, at most 1024
 * open files, and system calls that fail with EPERM. What --cap-add, --cap-drop, --ulimit and seccomp= say is applied on
 * top. libcontainer nsinit/security.go
 */
export interface SecurityPreset {
  readonly capabilities: readonly Capability[]
  readonly openFiles: number
  /** Beside what the seccomp policy denies to a container without further capabilities: mount, unshare, modules, … */
  readonly deniedCalls: readonly string[]
  /** The filter must come last, when the process cannot load one without it. */
  readonly noNewPrivileges: boolean
}

const OPEN_FILES = 1024

const MEDIUM: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

const PRESETS: Readonly<Record<string, SecurityPreset>> = {
  /** For programs that run and install nothing. */
  high: {
    capabilities: ['CAP_NET_BIND_SERVICE', 'CAP_KILL', 'CAP_AUDIT_WRITE'],
    openFiles: OPEN_FILES,
    // With the relatives that came later, or it would be no denial.
    deniedCalls:
      'capset chroot chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat chown32 fchown32 lchown32 link linkat unlink unlinkat'.split(
        ' ',
      ),
    noNewPrivileges: true,
  },
  /** For package managers. */
  medium: {
    capabilities: MEDIUM,
    openFiles: OPEN_FILES,
    deniedCalls: ['chroot'],
    noNewPrivileges: false,
  },
  low: {
    capabilities: [...MEDIUM, 'CAP_SYS_CHROOT'],
    openFiles: OPEN_FILES,
    deniedCalls: [],
    noNewPrivileges: false,
  },
}

/** INVALID_ARGUMENT. */
export function parsePreset(name: string): SecurityPreset {
  if (Object.hasOwn(PRESETS, name) && PRESETS[name] !== undefined) return PRESETS[name]
  throw new EngineError(
    'INVALID_ARGUMENT',
    `unknown security profile "${name}": must be ${Object.keys(PRESETS).join(', ')}`,
  )
}

/** The one that counts among the words of --security-opt. INVALID_ARGUMENT. */
export function findPreset(
  options: readonly string[] | null | undefined,
): SecurityPreset | undefined {
  const name = (options ?? []).findLast((option) => /^profile[=:]/.test(option))
  return name === undefined ? undefined : parsePreset(name.slice('profile='.length))
}

/** A policy of allowed calls without some of them. */
export function denyCalls(policy: RuntimeSeccomp, denied: readonly string[]): RuntimeSeccomp {
  if (denied.length === 0) return policy
  const names = new Set(denied)
  const rest = (policy.syscalls ?? [])
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !names.has(name)) }))
    .filter((rule) => rule.names.length > 0)
  // In a policy that allows by default they are denied by name.
  const isOpen =
    policy.defaultAction === 'SCMP_ACT_ALLOW' || policy.defaultAction === 'SCMP_ACT_LOG'
  const rules = isOpen
    ? [{ names: [...names], action: 'SCMP_ACT_ERRNO' as const, errnoRet: EPERM }]
    : []
  return { ...policy, syscalls: [...rest, ...rules] }
}

const EPERM = 1
