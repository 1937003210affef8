import type { Op } from '../ops.ts'
import { MS } from './constants.ts'
import type { MountOptions } from './mount-options.ts'

/** Nothing, where the whole tree is private already. */
export function neededPropagation({ propagation }: MountOptions, rootPropagation: bigint): bigint {
  return (rootPropagation & propagation & MS.MS_PRIVATE) === 0n ? propagation : 0n
}

/** Changes flags or propagation of a mount (of a directory) that is there. */
export function remount(target: string, flags: bigint): Op {
  return { op: 'mount', type: '', source: '', target, flags, data: '' }
}
