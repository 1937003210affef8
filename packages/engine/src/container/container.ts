import type { ContainerConfig, HostConfig } from '@ctr/api'
import type { Endpoint } from '@ctr/network'
import type { Health } from '../health/health.ts'
import type { Labels } from '../selinux/labels.ts'
import type { ConfiguredNetworks } from './configured-networks.ts'
import type { ContainerState } from './state.ts'

/** A mount as decided at creation; `source` is a host path (for a volume its `_data` directory). */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'image'
  /** Where it is mounted, a clean absolute path in the container. */
  readonly destination: string
  /** Host path; empty for tmpfs. */
  readonly source: string
  /** Name of the volume, or reference of the image; only for `volume` and `image`. */
  readonly name?: string
  /** Driver of the volume; only for `volume`. */
  readonly driver?: string
  /** The option words as the user gave them, e.g. `ro,z`; Docker's `Mode`. */
  readonly mode: string
  readonly readOnly: boolean
  /** `rprivate`, `rslave`, …; empty for tmpfs and volumes without one. */
  readonly propagation: string
  /** False: submounts of a bind stay out. */
  readonly isRecursive: boolean
  /** `bind-recursive=writable`: only the top mount is read-only. */
  readonly isReadOnlyNonRecursive: boolean
  /** Make a missing host directory of a bind (`-v`), or refuse (`--mount`). */
  readonly createSource: boolean
  /** Copy image content into an empty volume on its first use. */
  readonly copyUp: boolean
  /** Directory inside the volume; empty for all of it. */
  readonly subpath: string
  /** The volume was made for this container only and goes with it (`--rm`, `rm -v`). */
  readonly isAnonymous: boolean
  /** tmpfs: mount data such as `size=1m,mode=1777`. */
  readonly tmpfsOptions: string
}

/** A container as clients see it: the record and what other parts of the engine know of it now. */
export interface Container extends ContainerRecord {
  /** Attachments to networks. */
  readonly endpoints: readonly Endpoint[]
  /** Execs that have been created or run. */
  readonly execIds: readonly string[]
  /** Names that others have for it by `--link`: `other/alias`. */
  readonly linkedAs: readonly string[]
  /** SELinux. */
  readonly labels: Labels
  /** Empty: none. */
  readonly appArmorProfile: string
  /** Undefined without a health check, and before the first start. */
  readonly health: Health | undefined
}

/** Config + state + snapshot. An immutable value; the engine replaces it as a whole. */
export interface ContainerRecord {
  readonly id: string
  /** Without a slash. */
  readonly name: string
  readonly createdAtNs: bigint
  /** What runs: Entrypoint + Cmd, taken apart. */
  readonly path: string
  readonly args: readonly string[]
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly networkingConfig: ConfiguredNetworks
  readonly imageId: string
  /** As the user wrote it. */
  readonly imageReference: string
  readonly platform: string
  readonly state: ContainerState
  readonly restartCount: number
  /** Empty when the log driver keeps no file. */
  readonly logPath: string
  readonly hostnamePath: string
  readonly hostsPath: string
  readonly resolvConfPath: string
  readonly mounts: readonly MountPoint[]
  readonly driver: 'overlay2'
  /** Lower directories, top first, relative to the data root. */
  readonly layers: readonly string[]
  readonly upperDir: string
  readonly workDir: string
  /** Named for inspect only: the overlay is mounted inside the container's own mount namespace. */
  readonly mergedDir: string
  readonly bookkeeping: Bookkeeping
}

/** What the engine must remember to keep its promises after a kill; not for clients. */
export interface Bookkeeping {
  readonly hasStartedBefore: boolean
  /** A user has stopped or killed it since its last start: `unless-stopped` then stays stopped. */
  readonly isManuallyStopped: boolean
  /** The restart policy is off for the present run. */
  readonly isRestartCancelled: boolean
  /** A checkpoint has ended its last run. */
  readonly isCheckpointed: boolean
  /** While created: the request that created it was to start it, and `--rm`; a daemon that finds it so removes it. */
  readonly isStartPending: boolean
  /** It runs a step of a build, and goes with it. */
  readonly isOfBuild: boolean
  /** A forced removal has begun, and waits for the end of the process; `volumes`: with its anonymous volumes. */
  readonly removal: Removal
  /** Deadline of a stop in progress by the monotonic clock, after which SIGKILL is sent; 0n: none. */
  readonly killAtNs: bigint
  /** Delay before the present run; 0 when it was started by hand. */
  readonly restartDelayMs: number
}

export type Removal = '' | 'container' | 'volumes'

export const NEW_BOOKKEEPING: Bookkeeping = {
  hasStartedBefore: false,
  isManuallyStopped: false,
  isRestartCancelled: false,
  isCheckpointed: false,
  isStartPending: false,
  isOfBuild: false,
  removal: '',
  killAtNs: 0n,
  restartDelayMs: 0,
}
