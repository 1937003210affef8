import type { HostFacts } from '@ctr/linux'
import type { NamespaceType, RuntimeBlockIO } from '@ctr/oci'
import type { IdMaps } from '@ctr/shim'
import type { DefaultSeccomp } from '../../default-seccomp.ts'
import type { ContainerRecord } from '../container.ts'
import type { ContainerDevices } from '../devices.ts'
import type { ResolvedUser } from '../user.ts'

/** What compileSpec needs besides the container: everything that had to be looked up. */
export interface SpecInput {
  readonly container: ContainerRecord
  readonly host: HostFacts
  readonly user: ResolvedUser
  readonly devices: ContainerDevices
  readonly blockIO: RuntimeBlockIO | undefined
  /** Bind mounts of it, or of what it lies in, follow the host's mounts where there is something to follow. */
  readonly dataRoot: string
  /** Of the driver `local`, by name of the volume: type, device, o. Empty for a plain directory. */
  readonly volumeOptions: (name: string) => Readonly<Record<string, string>>
  /** PIDs of the containers whose namespaces are shared, by kind (`--network container:X`, …). */
  readonly joined: Readonly<Partial<Record<NamespaceType, number>>>
  /** Whose /etc/hosts, hostname and resolv.conf it gets: its own, or those of the container whose network is shared. */
  readonly runtimeFiles: Pick<ContainerRecord, 'hostnamePath' | 'hostsPath' | 'resolvConfPath'>
  /** Name that the process sees: the own one, or that of the container whose network is shared. */
  readonly hostname: string
  /** `NAME=value`, of containers that this one is linked to: before its own variables. */
  readonly linkEnvironment: readonly string[]
  /** `NAME=value`: after all other variables. */
  readonly secretEnvironment: readonly string[]
  readonly noNewPrivileges: boolean
  readonly defaultSeccomp: DefaultSeccomp
  readonly defaultUlimits: readonly { Name: string; Soft: number; Hard: number }[]
  /** Of its user namespace; undefined: it has none. */
  readonly idMaps: IdMaps | undefined
  /** Of an image mount: directories, top first. */
  readonly imageLayers: (reference: string) => readonly string[]
  readonly sourceOwner: (path: string) => { readonly uid: number; readonly gid: number }
  readonly rows: number
  readonly columns: number
}
