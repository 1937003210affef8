import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { tryLock } from '@ctr/linux'

/**
 * One daemon per data root and per exec root. The kernel drops the lock with the process, however it ends: nothing can
 * be stale. The descriptor is close-on-exec (Node's rule), so no child holds on to it.
 */
export function lockRoot(directory: string): Disposable {
  const path = join(directory, 'ctrd.lock')
  const fd = openIn(directory, path)
  if (!tryLock(fd)) {
    const owner = readFileSync(path, 'utf8').trim()
    closeSync(fd)
    throw new EngineError('CONFLICT', `${directory} is in use by another ctrd (pid ${owner})`)
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  return { [Symbol.dispose]: () => closeSync(fd) }
}

/** INTERNAL with the reason if it cannot be what the daemon needs. */
function openIn(directory: string, path: string): number {
  try {
    makeDirectory(directory)
    takeDirectory(directory)
    return openSync(path, LOCK_FLAGS, 0o600)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('INTERNAL', `cannot use ${directory} as a root: ${why}`, { cause })
  }
}

const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants
/** Whatever a link leads to would be emptied. */
const LOCK_FLAGS = O_RDWR | O_CREAT | O_NOFOLLOW
const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/**
 * One that was there before, as dockerd does: who could rename what is in it would have containers run anything. What has the
 * sticky bit (/tmp) belongs to everybody, and is left so.
 */
function takeDirectory(directory: string): void {
  if ((statSync(directory).mode & STICKY) === 0) take(directory)
}

/** Nobody else's, and writable for nobody else. True if it has changed. */
function take(path: string): boolean {
  const { uid, mode } = statSync(path)
  const ours = process.geteuid?.() ?? 0
  const isForeign = uid !== ours
  const isWritable = (mode & WRITABLE_BY_OTHERS) !== 0
  if (isForeign) chownSync(path, ours, process.getegid?.() ?? 0)
  if (isWritable) chmodSync(path, mode & 0o7777 & ~WRITABLE_BY_OTHERS)
  return isForeign || isWritable
}

/** docs/state-on-disk.md, parents first */
const OWN_ENTRIES = [
  'containers',
  'snapshots',
  'volumes',
  'tmp',
  'content',
  'content/ingest',
  'content/blobs',
  'content/blobs/sha256',
  'ctr.db',
  'ctr.db-wal',
  'ctr.db-shm',
  'secrets.key',
  'rootfs',
  'c',
  'x',
]

/**
 * What is ours in a root, if it was there before: taken as the root itself; gives the paths. INTERNAL for a link that somebody else
 * has put there: root's own (`volumes` on another disk) are followed.
 */
export function takeEntries(root: string): string[] {
  return OWN_ENTRIES.map((name) => join(root, name)).filter((path) => {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return false
    if (stats.isSymbolicLink() && stats.uid !== (process.geteuid?.() ?? 0)) {
      throw new EngineError('INTERNAL', `${path} is a link made by user ${stats.uid}: remove it`)
    }
    return statSync(path, { throwIfNoEntry: false }) !== undefined && take(path)
  })
}

/** Not by Node's `recursive`, which never ends where nothing can be made, as in /proc. */
export function makeDirectory(directory: string): void {
  const stats = statSync(directory, { throwIfNoEntry: false })
  if (stats?.isDirectory() === true) return
  if (stats !== undefined) throw new Error('it is no directory')
  if (dirname(directory) !== directory) makeDirectory(dirname(directory))
  mkdirSync(directory, { mode: 0o711 })
}
