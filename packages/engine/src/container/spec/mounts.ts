import type { HostFacts } from '@ctr/linux'
import { defaultMounts, type RuntimeMount } from '@ctr/oci'
import { BELOW_TARGET, hostId, type IdMaps } from '@ctr/shim'
import type { CdiEdits } from '../../cdi/specs.ts'
import { hasId, ownerMaps, parseMountIds } from '../../user-namespace/mount-ids.ts'
import type { MountPoint } from '../container.ts'
import { usablePropagation } from '../propagation.ts'
import type { SecurityOptions } from '../security-options.ts'
import { mergeTmpfsOptions } from '../tmpfs-options.ts'
import type { SpecInput } from './input.ts'

/** The default mounts that no own mount replaces, then the own ones, parents before children. */
export function compileMounts(
  input: SpecInput,
  { areCgroupsWritable }: Pick<SecurityOptions, 'areCgroupsWritable'>,
): RuntimeMount[] {
  const { container } = input
  const { hostConfig } = container
  const own = [
    ...container.mounts.flatMap((mount) => [
      deviceVolume(mount, input.volumeOptions) ?? runtimeMount(mount, input),
      ...subpathMount(mount, input.host),
    ]),
    ...(input.devices.cdi?.mounts ?? []).map(cdiMount),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([path, options]) => tmpfs(path, options, false)),
  ]
  const destinations = new Set(own.map((mount) => mount.destination))
  own.push(...runtimeFiles(input).filter((mount) => !destinations.has(mount.destination)))
  own.sort((a, b) => depth(a.destination) - depth(b.destination))
  const isHidden = (path: string): boolean =>
    destinations.has(path) || (path.startsWith('/dev/') && destinations.has('/dev'))
  const defaults = defaultMounts({
    shmSizeBytes: hostConfig.ShmSize,
    isPrivileged: hostConfig.Privileged,
    areCgroupsWritable,
  })
    .filter((mount) => !isHidden(mount.destination))
    .filter((mount) => mount.destination !== '/dev/shm' || hostConfig.IpcMode !== 'none')
    .map((mount) => (mount.destination === '/dev/shm' ? sharedMemory(mount, input) : mount))
    .map((mount) => (mount.type === 'devpts' ? terminals(mount, input.idMaps) : mount))
  return [...defaults, ...own]
}

function cdiMount({ hostPath, containerPath, options }: CdiEdits['mounts'][number]): RuntimeMount {
  const words = ['rbind', 'rprivate', ...options]
  return { destination: containerPath, type: 'bind', source: hostPath, options: words }
}

/** The group of terminals (tty, 5), where the container has it. */
function terminals(mount: RuntimeMount, maps: IdMaps | undefined): RuntimeMount {
  if (hasId(maps?.gids, 5)) return mount
  return { ...mount, options: mount.options?.filter((word) => !word.startsWith('gid=')) }
}

function depth(path: string): number {
  return path.split('/').length
}

/** With the IPC namespace of the host or of a container comes its /dev/shm. */
function sharedMemory(mount: RuntimeMount, input: SpecInput): RuntimeMount {
  const { ipc } = input.joined
  const isHost = input.container.hostConfig.IpcMode === 'host'
  if (!isHost && ipc === undefined) return mount
  return {
    destination: '/dev/shm',
    type: 'bind',
    source: isHost ? '/dev/shm' : `/proc/${ipc}/root/dev/shm`,
    options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev'],
  }
}

/** The files that the engine writes at each start. */
function runtimeFiles({ container, runtimeFiles: files, idMaps }: SpecInput): RuntimeMount[] {
  const words = container.hostConfig.ReadonlyRootfs === true ? ['ro'] : []
  return [
    { destination: '/etc/resolv.conf', source: files.resolvConfPath },
    { destination: '/etc/hostname', source: files.hostnamePath },
    { destination: '/etc/hosts', source: files.hostsPath },
  ].map((mount) => ({
    ...mount,
    type: 'bind',
    options: ['bind', 'rprivate', ...words, ...ownIds(idMaps)],
  }))
}

/** What the engine keeps for containers has the ids of their inside, whatever their user namespace. */
function ownIds(idMaps: IdMaps | undefined): string[] {
  return idMaps === undefined ? [] : ['idmap']
}

/** INVALID_ARGUMENT: an id that the container does not have. */
function mountIds(mount: MountPoint, source: string, input: SpecInput): Partial<RuntimeMount> {
  const { uid, gid } = parseMountIds(mount.mode)
  if (uid === undefined && gid === undefined) return {}
  const owner = input.sourceOwner(source)
  const { uids, gids } = input.idMaps ?? {}
  return ownerMaps(owner, {
    uid: uid === undefined ? owner.uid : uids === undefined ? uid : hostId(uid, uids, 'user'),
    gid: gid === undefined ? owner.gid : gids === undefined ? gid : hostId(gid, gids, 'group'),
  })
}

/**
 * The directory of the volume over the volume itself: it is looked up below that, so that a symlink which someone has put
 * there leads nowhere else, not even to another place of the container: what hides parts of /proc is not there yet.
 */
function subpathMount(
  { destination, subpath, ...mount }: MountPoint,
  host: HostFacts,
): RuntimeMount[] {
  if (subpath === '') return []
  const words = ['rbind', 'rprivate', ...access({ destination, subpath, ...mount }, host)]
  return [
    {
      destination,
      type: 'bind',
      source: subpath,
      options: [...words, BELOW_TARGET],
    },
  ]
}

function imageMount(mount: MountPoint, input: SpecInput): RuntimeMount {
  const { destination } = mount
  const layers = input.imageLayers(mount.name ?? '')
  const words = ['ro', 'rprivate', ...ownIds(input.idMaps)]
  const [only] = layers
  // overlay wants at least two layers.
  return layers.length === 1 && only !== undefined
    ? { destination, type: 'bind', source: only, options: ['bind', ...words] }
    : {
        destination,
        type: 'overlay',
        source: 'overlay',
        options: [...words, `lowerdir=${layers.join(':')}`],
      }
}

function runtimeMount(mount: MountPoint, input: SpecInput): RuntimeMount {
  const { destination } = mount
  switch (mount.type) {
    case 'tmpfs':
      return tmpfs(destination, mount.tmpfsOptions, mount.readOnly)
    case 'image':
      return imageMount(mount, input)
    case 'bind':
    case 'volume': {
      const { source } = mount
      const asked = mount.propagation === '' ? 'rprivate' : mount.propagation
      const propagation =
        mount.type === 'bind' ? usablePropagation(source, asked, input.dataRoot) : asked
      const bind = mount.isRecursive ? 'rbind' : 'bind'
      const isOwn = mount.type === 'volume' || parseMountIds(mount.mode).isIdMapped
      const words = isOwn ? ownIds(input.idMaps) : []
      const options = [bind, propagation, ...access(mount, input.host), ...words]
      return { destination, type: 'bind', source, options, ...mountIds(mount, source, input) }
    }
  }
}

/** A volume with options is mounted for each container by itself: what mount(8) would do, no directory of ours. */
function deviceVolume(
  mount: MountPoint,
  optionsOf: SpecInput['volumeOptions'],
): RuntimeMount | undefined {
  const { device, type = 'none', o = '' } = optionsOf(mount.name ?? '')
  if (mount.type !== 'volume' || device === undefined) return undefined
  const words = o.split(',').filter((word) => word !== '')
  const isBind = words.includes('bind') || words.includes('rbind')
  return {
    destination: mount.destination,
    type: isBind ? 'bind' : type,
    source: device,
    options: [...words, ...(isBind ? ['rprivate'] : []), ...(mount.readOnly ? ['ro'] : [])],
  }
}

/**
 * Read-only means submounts too where the kernel can: mount_setattr(2) of 5.12. Nothing is said of a writable one, as by
 * dockerd: `rw` would take the flags of its source away (nosuid, nodev, noexec).
 */
function access(mount: MountPoint, host: HostFacts): string[] {
  if (!mount.readOnly) return []
  const { major, minor } = host.kernel
  const isRecursive = major > 5 || (major === 5 && minor >= 12)
  return isRecursive && mount.isRecursive && !mount.isReadOnlyNonRecursive ? ['rro'] : ['ro']
}

function tmpfs(destination: string, text: string, readOnly: boolean): RuntimeMount {
  const words = text.split(',').filter((word) => word !== '')
  const options = mergeTmpfsOptions(['noexec', 'nosuid', 'nodev', 'rprivate', ...words])
  return {
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: readOnly ? [...options, 'ro'] : options,
  }
}
