import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { openInRoot } from '@ctr/linux'
import type { RuntimeProcess } from '@ctr/oci'
import { invalidArgument } from './errors.ts'

/**
 * The environment of a process: of a name that comes twice the last value counts, and HOME is that of the user in the
 * image's /etc/passwd where none is said. As runc's prepareEnv.
 */
export function prepareEnv(
  process: Pick<RuntimeProcess, 'env' | 'user'>,
  rootfs: string,
): string[] {
  const entries = process.env ?? []
  for (const entry of entries) checkEntry(entry)
  const values = new Map<string, string>()
  for (const entry of entries.toReversed()) {
    const name = nameOf(entry)
    if (!values.has(name)) values.set(name, entry)
  }
  if (values.get('HOME') === 'HOME=') values.delete('HOME')
  const env = [...values.values()].toReversed()
  return values.has('HOME') ? env : [...env, `HOME=${homeOf(process.user.uid, rootfs)}`]
}

function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf('='))
}

function checkEntry(entry: string): void {
  const at = entry.indexOf('=')
  if (at === -1) throw invalidArgument("invalid environment variable: missing '='")
  if (at === 0) throw invalidArgument('invalid environment variable: name cannot be empty')
}

function homeOf(uid: number, rootfs: string): string {
  const line = readPasswd(rootfs)
    .split('\n')
    .map((entry) => entry.split(':'))
    .find(([, , id]) => id === String(uid))
  return line?.[5] || '/'
}

const PASSWD_MAX_BYTES = 1 << 20

/** The image may have put anything there: links stay inside the root, only a regular file is read. */
function readPasswd(rootfs: string): string {
  try {
    const fd = openPasswd(rootfs)
    try {
      if (!fstatSync(fd).isFile()) return ''
      const buffer = Buffer.alloc(PASSWD_MAX_BYTES)
      return buffer.toString('utf8', 0, readSync(fd, buffer))
    } finally {
      closeSync(fd)
    }
  } catch {
    return ''
  }
}

/** openat2(2) takes koffi, which takes 25 ms to load (0015): only where there is a link to follow. */
function openPasswd(rootfs: string): number {
  const path = join(rootfs, 'etc/passwd')
  const hasLink = [join(rootfs, 'etc'), path].some((part) => lstatSync(part).isSymbolicLink())
  if (hasLink) return openInRoot(rootfs, 'etc/passwd', constants.O_RDONLY)
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}
