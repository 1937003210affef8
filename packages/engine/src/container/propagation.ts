import { readFileSync, realpathSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'

/**
 * Mounts cannot come in from, or go out to, a place of the host that does not pass them on: said instead of done in vain. A source
 * that is not there is the start's to report. INVALID_ARGUMENT. moby daemon/oci_linux.go ensureShared, ensureSharedOrSlave
 */
function assertPropagation(source: string, propagation: string): void {
  const isShared = /^r?shared$/.test(propagation)
  if (!isShared && !/^r?slave$/.test(propagation)) return
  const mount = mountOf(readFileSync('/proc/self/mountinfo', 'utf8'), realpath(source))
  if (mount === undefined || /\bshared:\d/.test(mount.fields)) return
  if (!isShared && /\bmaster:\d/.test(mount.fields)) return
  const wanted = isShared ? 'shared' : 'shared or slave'
  throw new EngineError(
    'INVALID_ARGUMENT',
    `path ${source} is mounted on ${mount.path} but it is not a ${wanted} mount`,
  )
}

/**
 * Of a bind mount of the data root, or of what it lies in (`-v /:/host`), `rslave` unless it is said otherwise, and nothing that
 * keeps the host's mounts back. INVALID_ARGUMENT. moby daemon/volumes_unix.go validateBindDaemonRoot
 */
export function choosePropagation(source: string, asked: string, dataRoot: string): string {
  if (!isAroundDataRoot(source, dataRoot)) return asked === '' ? 'rprivate' : asked
  if (asked === '' || asked === 'rslave') return 'rslave'
  if (asked === 'rshared') return asked
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: ${JSON.stringify(dataRoot)}, bind mount source: ${JSON.stringify(source)}, propagation: ${JSON.stringify(asked)}`,
  )
}

/** At a start: where the host passes no mounts on, `rslave` that nobody asked for is `rprivate`. */
export function usablePropagation(source: string, propagation: string, dataRoot: string): string {
  try {
    assertPropagation(source, propagation)
    return propagation
  } catch (error) {
    if (propagation === 'rslave' && isAroundDataRoot(source, dataRoot)) return 'rprivate'
    throw error
  }
}

function isAroundDataRoot(source: string, dataRoot: string): boolean {
  const isWithin = (path: string, directory: string): boolean =>
    `${path}/`.startsWith(directory.endsWith('/') ? directory : `${directory}/`)
  return isWithin(source, dataRoot) || isWithin(dataRoot, source)
}

/** The mount that a path is on: the longest mount point above it, of several at one place the last. */
export function mountOf(
  mountinfo: string,
  path: string,
): { path: string; fields: string } | undefined {
  let found: { path: string; fields: string } | undefined
  for (const line of mountinfo.split('\n')) {
    const [, , , , point = '', ...rest] = line.split(' ')
    const mountPoint = point.replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    const isAbove = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`)
    if (!isAbove || mountPoint === '' || mountPoint.length < (found?.path.length ?? 0)) continue
    found = { path: mountPoint, fields: rest.slice(1, rest.indexOf('-')).join(' ') }
  }
  return found
}

function realpath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
