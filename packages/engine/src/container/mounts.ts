import { posix } from 'node:path'
import type { ContainerConfig, HostConfig, Mount } from '@ctr/api'
import { type EngineError, invalid } from '@ctr/errdefs'
import type { VolumeRequest } from '../volume/create.ts'
import { cleanDestination, isPropagation, parseBind } from './bind-spec.ts'
import type { MountPoint } from './container.ts'
import { choosePropagation } from './propagation.ts'

/** A mount whose volume is still to be looked up or made. */
export type PlannedMount =
  | { readonly kind: 'ready'; readonly mount: MountPoint }
  | { readonly kind: 'volume'; readonly mount: MountPoint; readonly volume: VolumeRequest }

export interface MountDefaults {
  readonly isReadOnlyNonRecursive: boolean
  /** A bind mount of it, or of what it lies in, follows the host's mounts. */
  readonly dataRoot: string
}

/** For `--volumes-from`. */
export interface MountSource {
  readonly mounts: readonly MountPoint[]
}

/**
 * All mounts of a new container, in Docker's order: --volumes-from, -v, --mount, then VOLUME and `-v /path` where
 * nothing is mounted yet. --tmpfs stays in the host config, as in Docker. Pure but for `findContainer`.
 * moby daemon/volumes.go registerMountPoints
 */
export function planMounts(
  config: ContainerConfig,
  hostConfig: HostConfig,
  findContainer: (reference: string) => MountSource,
  defaults: MountDefaults = { isReadOnlyNonRecursive: false, dataRoot: '/nonexistent' },
): PlannedMount[] {
  const planned = new Map<string, PlannedMount>()
  const add = (item: PlannedMount): void => {
    planned.set(item.mount.destination, item)
  }
  for (const spec of hostConfig.VolumesFrom ?? []) {
    for (const mount of volumesFrom(spec, findContainer)) add({ kind: 'ready', mount })
  }
  const tmpfs = new Set(Object.keys(hostConfig.Tmpfs ?? {}).map(cleanDestination))
  const explicit = new Set<string>()
  // Those of other containers stay as they are there.
  const shallow = (item: PlannedMount): PlannedMount =>
    defaults.isReadOnlyNonRecursive && item.kind === 'ready' && item.mount.type === 'bind'
      ? { ...item, mount: { ...item.mount, isReadOnlyNonRecursive: true } }
      : item
  const addExplicit = (asked: PlannedMount): void => {
    const item = shallow(withPropagation(asked, defaults.dataRoot))
    const { destination } = item.mount
    if (explicit.has(destination) || tmpfs.has(destination)) throw duplicate(destination)
    explicit.add(destination)
    add(item)
  }
  for (const bind of hostConfig.Binds ?? []) addExplicit(fromBind(bind, hostConfig))
  for (const mount of hostConfig.Mounts ?? []) addExplicit(fromMount(mount, hostConfig))
  for (const path of Object.keys(config.Volumes ?? {})) {
    const destination = cleanDestination(path)
    if (planned.has(destination) || tmpfs.has(destination)) continue
    add(anonymous(destination, hostConfig))
  }
  return [...planned.values()]
}

function volumesFrom(
  spec: string,
  findContainer: (reference: string) => MountSource,
): MountPoint[] {
  const colon = spec.indexOf(':')
  const reference = colon === -1 ? spec : spec.slice(0, colon)
  const mode = colon === -1 ? '' : spec.slice(colon + 1)
  if (reference === '') throw invalid('volumes-from specification cannot be an empty string')
  if (!['', 'rw', 'ro', 'z', 'Z'].includes(mode)) {
    throw invalid(`invalid mode: ${mode}`)
  }
  return findContainer(reference)
    .mounts.filter((mount) => mount.type === 'bind' || mount.type === 'volume')
    .map((mount) => ({
      ...mount,
      readOnly: mount.readOnly || mode === 'ro',
      mode: '',
      copyUp: false,
    }))
}

function withPropagation(item: PlannedMount, dataRoot: string): PlannedMount {
  const { mount } = item
  if (item.kind !== 'ready' || mount.type !== 'bind') return item
  const propagation = choosePropagation(mount.source, mount.propagation, dataRoot)
  return { ...item, mount: { ...mount, propagation } }
}

/** Docker shows this for every volume of the local driver that was asked for by name. moby volume.setBindModeIfNull */
const VOLUME_MODE = 'z'

const BASE: Omit<MountPoint, 'type' | 'destination'> = {
  source: '',
  mode: '',
  readOnly: false,
  propagation: '',
  isRecursive: true,
  isReadOnlyNonRecursive: false,
  createSource: false,
  copyUp: false,
  subpath: '',
  isAnonymous: false,
  tmpfsOptions: '',
}

function fromBind(text: string, hostConfig: HostConfig): PlannedMount {
  const spec = parseBind(text)
  const { destination, mode, options } = spec
  const base = { ...BASE, destination, mode, readOnly: options.readOnly }
  if (spec.source.startsWith('/')) {
    const { propagation } = options
    const mount = { ...base, type: 'bind', source: spec.source, createSource: true } as const
    return { kind: 'ready', mount: { ...mount, propagation } }
  }
  return {
    kind: 'volume',
    mount: {
      ...base,
      type: 'volume',
      mode: mode === '' ? VOLUME_MODE : mode,
      propagation: options.propagation,
      copyUp: !options.noCopy,
      isAnonymous: spec.source === '',
    },
    volume: { name: spec.source, driver: hostConfig.VolumeDriver ?? '' },
  }
}

function anonymous(destination: string, hostConfig: HostConfig): PlannedMount {
  return {
    kind: 'volume',
    mount: { ...BASE, type: 'volume', destination, copyUp: true, isAnonymous: true },
    volume: { driver: hostConfig.VolumeDriver ?? '' },
  }
}

function fromMount(mount: Mount, hostConfig: HostConfig): PlannedMount {
  const type = mount.Type ?? ''
  try {
    switch (type) {
      case 'bind':
        return fromBindMount(mount)
      case 'volume':
        return fromVolumeMount(mount, hostConfig)
      case 'tmpfs':
        return fromTmpfsMount(mount)
      case 'image':
        return fromImageMount(mount)
      default:
        throw invalid('mount type unknown')
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : ''
    throw invalid(`invalid mount config for type "${type}": ${reason}`)
  }
}

function target(mount: Mount): string {
  if ((mount.Target ?? '') === '') throw invalid('field Target must not be empty')
  return cleanDestination(mount.Target ?? '')
}

function refuse(mount: Mount, fields: readonly (keyof Mount)[]): void {
  for (const field of fields) {
    if (mount[field] !== undefined) throw invalid(`field ${field} must not be specified`)
  }
}

function fromBindMount(mount: Mount): PlannedMount {
  const destination = target(mount)
  const source = mount.Source ?? ''
  if (source === '') throw invalid('field Source must not be empty')
  refuse(mount, ['VolumeOptions', 'TmpfsOptions', 'ImageOptions'])
  const options = mount.BindOptions ?? {}
  const propagation = options.Propagation ?? ''
  if (propagation !== '' && !isPropagation(propagation)) {
    throw invalid(`invalid propagation mode: ${propagation}`)
  }
  if (!source.startsWith('/')) {
    throw invalid(`invalid mount path: '${source}' mount path must be absolute`)
  }
  return {
    kind: 'ready',
    mount: {
      ...BASE,
      type: 'bind',
      destination,
      source: posix.normalize(source),
      readOnly: mount.ReadOnly ?? false,
      propagation,
      isRecursive: !(options.NonRecursive ?? false),
      isReadOnlyNonRecursive: options.ReadOnlyNonRecursive ?? false,
      createSource: options.CreateMountpoint ?? false,
    },
  }
}

function fromVolumeMount(mount: Mount, hostConfig: HostConfig): PlannedMount {
  const destination = target(mount)
  refuse(mount, ['BindOptions', 'TmpfsOptions', 'ImageOptions'])
  const options = mount.VolumeOptions ?? {}
  const name = mount.Source ?? ''
  if (name === '' && mount.ReadOnly === true) {
    throw invalid('must not set ReadOnly mode when using anonymous volumes')
  }
  const subpath = options.Subpath ?? ''
  checkSubpath(subpath, 'volume')
  const driver = options.DriverConfig?.Name ?? hostConfig.VolumeDriver ?? ''
  return {
    kind: 'volume',
    mount: {
      ...BASE,
      type: 'volume',
      destination,
      mode: VOLUME_MODE,
      readOnly: mount.ReadOnly ?? false,
      copyUp: !(options.NoCopy ?? false) && subpath === '',
      subpath,
      isAnonymous: name === '',
    },
    volume: {
      name,
      driver,
      labels: options.Labels ?? {},
      options: options.DriverConfig?.Options ?? {},
    },
  }
}

function checkSubpath(subpath: string, what: string): void {
  const isInside = !subpath.startsWith('/') && !posix.normalize(subpath).startsWith('..')
  if (isInside && !subpath.includes('\0')) return
  throw invalid(`${what} subpath must be a relative path within the ${what}`)
}

/** Read-only, whatever is asked for. Its layers are looked up at each start. */
function fromImageMount(mount: Mount): PlannedMount {
  const destination = target(mount)
  const name = mount.Source ?? ''
  if (name === '') throw invalid('field Source must not be empty')
  refuse(mount, ['BindOptions', 'VolumeOptions', 'TmpfsOptions'])
  const subpath = mount.ImageOptions?.Subpath ?? ''
  checkSubpath(subpath, 'image')
  const image = { ...BASE, type: 'image', destination, name, readOnly: true, subpath } as const
  return { kind: 'ready', mount: image }
}

function fromTmpfsMount(mount: Mount): PlannedMount {
  const destination = target(mount)
  if ((mount.Source ?? '') !== '') throw invalid('field Source must not be specified')
  refuse(mount, ['BindOptions', 'VolumeOptions', 'ImageOptions'])
  const { SizeBytes = 0, Mode = 0, Options = [] } = mount.TmpfsOptions ?? {}
  if (SizeBytes < 0 || Mode < 0 || Mode > 0o7777) throw invalid('invalid tmpfs options')
  const words = [
    ...(Mode === 0 ? [] : [`mode=${Mode.toString(8)}`]),
    ...(SizeBytes === 0 ? [] : [`size=${SizeBytes}`]),
    ...Options.map((option) => option.join('=')),
  ]
  const options = words.join(',')
  return { kind: 'ready', mount: tmpfsMount(destination, options, mount.ReadOnly ?? false) }
}

function tmpfsMount(destination: string, options: string, readOnly: boolean): MountPoint {
  if (options.includes('\0')) throw invalid('invalid tmpfs options')
  return { ...BASE, type: 'tmpfs', destination, tmpfsOptions: options, readOnly }
}

function duplicate(destination: string): EngineError {
  return invalid(`Duplicate mount point: ${destination}`)
}
