import { closeSync, lstatSync, mkdirSync, openSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ImagePaths } from '../paths.ts'

/** No layer of an image has this number. */
export const MOUNT_POINTS_LAYER = 0

const DIRECTORIES = ['dev', 'etc', 'proc', 'sys']
/** `.dockerenv` is what programs look for to know that they are in a container. */
const FILES = ['.dockerenv', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf']

/**
 * The lowest layer of every container: what a start mounts on and every Docker container has, for images that do not have it. Otherwise each start would
 * make it in the container's own layer, and each removal remove it. Docker has such a layer for every container, above
 * those of the image; below them it hides nothing and is one for all.
 */
export function makeMountPoints(paths: Pick<ImagePaths, 'snapshots'>): void {
  const root = join(paths.snapshots, String(MOUNT_POINTS_LAYER))
  for (const name of ['', ...DIRECTORIES]) {
    mkdirSync(join(root, name), { recursive: true, mode: 0o755 })
  }
  // 0755 as Docker's.
  for (const name of FILES) closeSync(openSync(join(root, name), 'a', 0o755))
  const mtab = join(root, 'etc/mtab')
  if (lstatSync(mtab, { throwIfNoEntry: false }) === undefined) symlinkSync('/proc/mounts', mtab)
}
