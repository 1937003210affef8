import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { tryLock } from '@ctr/linux'

/**
 * One daemon per data root and per exec root. The kernel drops the lock with the process, however it ends: nothing can
 * be stale. The descriptor is close-on-exec (Node's rule), so no child holds on to it.
 */
export function lockRoot(directory: string): Disposable {
  mkdirSync(directory, { recursive: true, mode: 0o711 })
  const path = join(directory, 'ctrd.lock')
  const fd = openSync(path, 'a+', 0o600)
  if (!tryLock(fd)) {
    const owner = readFileSync(path, 'utf8').trim()
    closeSync(fd)
    throw new EngineError('CONFLICT', `${directory} is in use by another ctrd (pid ${owner})`)
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  return { [Symbol.dispose]: () => closeSync(fd) }
}
