import type { Op } from '../ops.ts'
import { MOUNT_ATTR } from './constants.ts'
import type { RootfsInput } from './rootfs-input.ts'
import { attach } from './trees.ts'

/** Where --init's program is in the container; Docker's name. */
export const INIT_PATH = '/sbin/docker-init'

export function planInit({ initBinary, hasUserNamespace, trees }: RootfsInput): Op[] {
  if (initBinary === undefined) return []
  const attr = MOUNT_ATTR.MOUNT_ATTR_RDONLY
  if (hasUserNamespace) {
    return [attach(trees.add(initBinary, false, undefined), INIT_PATH, attr)]
  }
  const place = { target: INIT_PATH, flags: 0, attr, clear: 0n, propagation: 0n }
  return [{ op: 'bind', source: initBinary, ...place }]
}
