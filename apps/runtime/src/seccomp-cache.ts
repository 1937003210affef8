import { join } from 'node:path'
import { SeccompFilters } from '@ctr/linux'
import type { RuntimeSeccomp } from '@ctr/oci'

/** Compiling a profile would be most of a create, and engines use the same one again and again: filters are kept below the root (0700). */
export function cachedSeccomp(
  root: string,
  profile: RuntimeSeccomp | undefined,
): Uint8Array | undefined {
  if (profile === undefined || profile === null) return undefined
  return new SeccompFilters(join(root, '.seccomp')).get(profile)
}
