import { EngineError, invalid } from '@ctr/errdefs'
import { parseSeccompProfile } from '@ctr/oci'
import type { DefaultSeccomp } from '../default-seccomp.ts'
import { parsePreset } from './security-presets.ts'

/** `--security-opt`, parsed. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean
  /** Undefined: those of a privileged container are. */
  readonly areCgroupsWritable: boolean | undefined
  /** `default`: nothing was said. */
  readonly seccomp: { readonly kind: 'default' } | DefaultSeccomp
  /** Empty: the engine's default. */
  readonly apparmorProfile: string
  /** SELinux `label=` words. */
  readonly labels: readonly string[]
}

/** INVALID_ARGUMENT. moby daemon/daemon_unix.go parseSecurityOpt */
export function parseSecurityOptions(
  options: readonly string[],
  defaults: { readonly noNewPrivileges: boolean },
): SecurityOptions {
  let noNewPrivileges = defaults.noNewPrivileges
  let seccomp: SecurityOptions['seccomp'] = { kind: 'default' }
  let apparmorProfile = ''
  let areCgroupsWritable: boolean | undefined
  const labels: string[] = []
  for (const option of options) {
    if (option === 'no-new-privileges') {
      noNewPrivileges = true
      continue
    }
    if (option === 'writable-cgroups') {
      areCgroupsWritable = true
      continue
    }
    if (option === 'disable') {
      labels.push('disable')
      continue
    }
    const match = /^([^=:]+)[=:]([^]*)$/.exec(option)
    if (match === null) throw invalid(`invalid --security-opt 1: "${option}"`)
    const [, key = '', value = ''] = match
    switch (key) {
      case 'label':
        labels.push(value)
        break
      case 'apparmor':
        apparmorProfile = value
        break
      case 'seccomp':
        seccomp = parseSeccomp(value)
        break
      case 'profile':
        noNewPrivileges ||= parsePreset(value).noNewPrivileges
        break
      case 'no-new-privileges':
        noNewPrivileges = parseBoolean(value, option)
        break
      case 'writable-cgroups':
        areCgroupsWritable = parseBoolean(value, option)
        break
      default:
        throw invalid(`invalid --security-opt 2: "${option}"`)
    }
  }
  return { noNewPrivileges, areCgroupsWritable, seccomp, apparmorProfile, labels }
}

function parseSeccomp(value: string): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return { kind: 'unconfined' }
  if (value === '') return { kind: 'default' }
  if (value === 'builtin') return { kind: 'builtin' }
  try {
    return { kind: 'profile', profile: parseSeccompProfile(value) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    throw new EngineError('INVALID_ARGUMENT', `Decoding seccomp profile failed: ${reason}`, {
      cause,
    })
  }
}

/** strconv.ParseBool of Go. */
function parseBoolean(value: string, option: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false
  throw invalid(`invalid --security-opt 2: "${option}"`)
}
