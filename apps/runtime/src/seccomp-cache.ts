import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileSeccomp } from '@ctr/linux'
import type { RuntimeSeccomp } from '@ctr/oci'

/**
 * Compiling a profile takes 50 ms, most of a create; engines use the same one again and again. The filters are kept below
 * the root (0700, a tmpfs as a rule), by content: a file of ours, or none.
 */
export function cachedSeccomp(
  root: string,
  profile: RuntimeSeccomp | undefined,
): Uint8Array | undefined {
  if (profile === undefined || profile === null) return undefined
  const key = createHash('sha256')
    .update(`1 ${JSON.stringify(profile)}`)
    .digest('hex')
  const directory = join(root, '.seccomp')
  const path = join(directory, key)
  const kept = isOurs(directory) ? readKept(path) : undefined
  if (kept !== undefined) return kept
  const filter = compileSeccomp(profile)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, filter, { mode: 0o600 })
    renameSync(temporary, path)
  } catch {
    // Next time again.
  }
  return filter
}

/** Nobody else may have put a filter there. */
function isOurs(directory: string): boolean {
  try {
    const { uid, mode } = lstatSync(directory)
    return uid === process.geteuid?.() && (mode & 0o022) === 0
  } catch {
    return false
  }
}

/** sizeof(struct sock_filter) */
const INSTRUCTION_BYTES = 8

function readKept(path: string): Uint8Array | undefined {
  try {
    const filter = readFileSync(path)
    return filter.length > 0 && filter.length % INSTRUCTION_BYTES === 0 ? filter : undefined
  } catch {
    return undefined
  }
}
