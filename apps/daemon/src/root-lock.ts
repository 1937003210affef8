import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { tryLock } from '@ctr/linux'

/**
 * One daemon per data root and per exec root. The kernel drops the lock with the process, however it ends: nothing can
 * be stale. The descriptor is close-on-exec (Node's rule), so no child holds on to it.
 */
export function lockRoot(directory: string): Disposable {
  mkdirSync(directory, { recursive: true, mode: 0o711 })
  const fd = openSync(join(directory, 'ctrd.lock'), 'w', 0o600)
  if (!tryLock(fd)) {
    closeSync(fd)
    throw new EngineError('CONFLICT', `another ctrd is using ${directory}`)
  }
  return { [Symbol.dispose]: () => closeSync(fd) }
}
