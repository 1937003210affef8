import { accessSync, constants } from 'node:fs'
import type { Engine } from '@ctr/engine'
import { buildBusyboxImage } from '@ctr/images'
import type { Log } from './log.ts'

const BUSYBOX_PATHS = ['/bin/busybox', '/usr/bin/busybox', '/usr/lib/busybox/busybox-static']
const REFERENCE = 'busybox:latest'

/** An engine without any image gets one from the host's static busybox, so that `ctr run busybox` works offline. */
export async function loadDefaultImage(engine: Engine, log: Log): Promise<void> {
  try {
    if (engine.images.list().length > 0) return
    const busyboxPath = BUSYBOX_PATHS.find(isExecutable)
    if (busyboxPath === undefined) {
      log.info({}, 'no static busybox on this host: no default image')
      return
    }
    const archive = await buildBusyboxImage({ busyboxPath, reference: REFERENCE })
    const { loaded } = await engine.images.load(archive, { quiet: true })
    log.info({ images: loaded, busyboxPath }, 'made the default image')
  } catch (err) {
    // Nothing depends on it: images can be loaded and pulled.
    log.warn({ err }, 'no default image')
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
