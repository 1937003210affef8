import { statfsSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'

/** linux/magic.h */
const OVERLAYFS_SUPER_MAGIC = 0x794c_7630

/** Throws UNAVAILABLE for a directory in which no container could have its files: the kernel makes no overlay upon an overlay. */
export function checkDataRoot(directory: string): void {
  if (statfsSync(directory).type !== OVERLAYFS_SUPER_MAGIC) return
  throw new EngineError(
    'UNAVAILABLE',
    `${directory} is on an overlay, as in a container, where containers cannot have their files: mount a volume or a tmpfs there, or choose another --data-root`,
  )
}
