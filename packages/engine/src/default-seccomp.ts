import { readFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import { parseSeccompProfile, type SeccompProfile } from '@ctr/oci'

/** The policy of containers that do not name one. */
export type DefaultSeccomp =
  | { readonly kind: 'builtin' | 'unconfined' }
  | { readonly kind: 'profile'; readonly profile: SeccompProfile }

/**
 * `--seccomp-profile` of ctrd: empty or `builtin`, `unconfined`, or the path of a profile, which is read once. Throws
 * INVALID_ARGUMENT: an engine with another policy than the one asked for must not start.
 * moby daemon/seccomp_linux.go setupSeccompProfile
 */
export function readDefaultSeccomp(setting: string): DefaultSeccomp {
  if (setting === '' || setting === 'builtin') return { kind: 'builtin' }
  if (setting === 'unconfined') return { kind: 'unconfined' }
  try {
    return { kind: 'profile', profile: parseSeccompProfile(readFileSync(setting, 'utf8')) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('INVALID_ARGUMENT', `seccomp profile ${setting}: ${reason}`, { cause })
  }
}
