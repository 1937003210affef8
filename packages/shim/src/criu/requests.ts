import { RESTORE_NETWORK_FD } from '../ops.ts'
import { type Descriptors, externalDescriptors, inheritedDescriptors } from './descriptors.ts'
import type { PageServer } from './page-server.ts'

/** What a dump and its restore must agree on. */
export interface CriuOptions {
  readonly tcpEstablished: boolean
  readonly fileLocks: boolean
  readonly extUnixSockets?: boolean
  readonly shellJob?: boolean
  /** `ignore`: the processes stay in the cgroup that criu was started in. */
  readonly manageCgroups?: string
  /** Namespaces whose contents are left to the caller. */
  readonly emptyNamespaces?: readonly string[]
  readonly autoDedup?: boolean
  /** Memory is fetched when it is touched: a dump serves its pages at `pageServer` until all have gone, a restore asks criu's daemon lazy-pages in its work directory. userfaultfd(2) */
  readonly lazyPages?: boolean
}

export interface DumpRequest extends CriuOptions {
  readonly pid: number
  /** Made by the caller; absolute. */
  readonly imagesDir: string
  /** For criu's log; absent, and with a terminal: the images' directory. */
  readonly workDir?: string | undefined
  /** Of a container with a terminal: the path of ctr-shim, through which criu is asked. */
  readonly terminalShim?: string | undefined
  readonly leaveRunning: boolean
  readonly mounts: readonly string[]
  readonly descriptors: Descriptors
  /** Inode of the network namespace, which is none of criu's; undefined: the host's. */
  readonly networkInode: number | undefined
  /** Directory of the freezer's cgroup, for a container that is frozen already. */
  readonly freezeCgroup?: string | undefined
  /** Images of the dump before this one, relative to `imagesDir`. */
  readonly parentPath?: string | undefined
  /** Memory only; the processes go on. */
  readonly isPreDump?: boolean
  /** `address:port` of a criu page-server. */
  readonly pageServer?: PageServer | undefined
  /** Descriptor of ours that criu writes a zero byte to when the lazy pages can be asked for. */
  readonly statusFd?: number | undefined
}

export interface RestoreRequest extends CriuOptions {
  readonly imagesDir: string
  readonly workDir?: string | undefined
  readonly descriptors: Descriptors
  /** The images are of a container whose network namespace was not criu's. */
  readonly hasNetwork: boolean
  /** `TYPE:NAME`, instead of what the process had. */
  readonly lsmProfile?: string | undefined
  /** SELinux context of mounts, instead of that in the images. */
  readonly lsmMountContext?: string | undefined
}

/** What `statusFd` is in criu. */
export const STATUS_FD = 3

/** runc's name. */
const NETWORK_KEY = 'extRootNetNS'

/** What is left out of the images. */
export function externalResources(request: DumpRequest): string[] {
  const { networkInode, mounts, descriptors } = request
  return [
    ...(networkInode === undefined ? [] : [`net[${networkInode}]:${NETWORK_KEY}`]),
    ...mounts.map((path) => `mnt[${path}]:${path}`),
    ...externalDescriptors(descriptors),
  ]
}

/** What the process gets instead of what it had. */
export function inheritedResources(request: RestoreRequest): { key: string; fd: number }[] {
  return [
    ...(request.hasNetwork ? [{ key: NETWORK_KEY, fd: RESTORE_NETWORK_FD }] : []),
    ...inheritedDescriptors(request.descriptors),
  ]
}
