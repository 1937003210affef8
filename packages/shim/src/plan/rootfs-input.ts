import type { RuntimeSpec } from '@ctr/oci'
import type { Op } from '../ops.ts'
import type { RootFilesystem } from './input.ts'
import type { Trees } from './trees.ts'

/** The child's mounts: from the host's view of the filesystem to the container's, up to and with the change of root. */
export interface RootfsInput {
  readonly spec: RuntimeSpec
  readonly rootfs: RootFilesystem
  /** `/ctr/<id>`. */
  readonly cgroupPath: string
  readonly hasTerminal: boolean
  readonly hasCgroupNamespace: boolean
  /** Without, what is mounted stays in the caller's. */
  readonly hasMountNamespace: boolean
  readonly hasUserNamespace: boolean
  readonly initBinary: string | undefined
  /** Gets the mounts that are made on the host's side. */
  readonly trees: Trees
  /** What happens when everything is mounted, and the host's view is still there. */
  readonly beforePivot: readonly Op[]
}
