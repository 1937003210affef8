import {
  closeSync,
  ftruncateSync,
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
    return openSync(path, 'a+', 0o600)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('INTERNAL', `cannot use ${directory} as a root: ${why}`, { cause })
  }
}

/** Not by Node's `recursive`, which never ends where nothing can be made, as in /proc. */
export function makeDirectory(directory: string): void {
  const stats = statSync(directory, { throwIfNoEntry: false })
  if (stats?.isDirectory() === true) return
  if (stats !== undefined) throw new Error('it is no directory')
  if (dirname(directory) !== directory) makeDirectory(dirname(directory))
  mkdirSync(directory, { mode: 0o711 })
}
