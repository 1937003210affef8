import { existsSync, renameSync } from 'node:fs'
import { isIP } from 'node:net'
import { arch, hostname } from 'node:os'
import type { ContainerConfig, EndpointConfig, HostConfig, NetworkingConfig } from '@ctr/api'
import { EngineError, isEngineError, isErrno } from '@ctr/errdefs'
import { type ImageExecConfig, shortId } from '@ctr/oci'
import { volatileTransaction } from '@ctr/store'
import type { Engine } from '../engine.ts'
import { generateName } from '../names.ts'
import { validateSecrets } from '../secret/mount.ts'
import { containerLabels, newContainerId } from '../selinux/container-labels.ts'
import { planUserNamespace, type UserNamespacePlan } from '../user-namespace/mode.ts'
import { sharedUserNamespace } from '../user-namespace/shared.ts'
import { copyUp } from '../volume/copy-up.ts'
import {
  createVolume,
  finishVolumeDirectory,
  makeVolumeDirectory,
  newVolume,
} from '../volume/create.ts'
import type { Volume } from '../volume/registry.ts'
import { removeVolumeFiles } from '../volume/remove.ts'
import { volumeEvent } from '../volume/volume-event.ts'
import { type ContainerRecord, type MountPoint, NEW_BOOKKEEPING } from './container.ts'
import { containerEvent } from './container-event.ts'
import { deviceWeightWarnings } from './device-weight.ts'
import { validateExtensions } from './extensions.ts'
import { withHostDefaults } from './host-defaults.ts'
import { resolveLinks } from './links.ts'
import { parseLogSettings } from './log-options.ts'
import { commandOf, mergeConfig } from './merge-config.ts'
import { parseNetworkMode } from './modes.ts'
import { type PlannedMount, planMounts } from './mounts.ts'
import { assertNoNul, assertText } from './raw-bytes.ts'
import { containerPaths } from './registry.ts'
import { removedDirectory } from './removed-directory.ts'
import { makeRootDirectory, type RootDirectory, rootDirectoryOf } from './root-directory.ts'
import { containerFilesDir } from './runtime-dir.ts'
import { containerScope } from './scope.ts'
import { sctpWarnings } from './sctp-ports.ts'
import { parseSecurityOptions } from './security-options.ts'
import { withSharedIds } from './shared-ids.ts'
import { assertJoinsOther, withoutSharedEndpoint } from './shared-network.ts'
import { NEVER_RUN } from './state.ts'
import { checkStorageSize, limitLayer, releaseLayer } from './storage-size.ts'
import { validateContainer } from './validate.ts'

export interface CreateRequest {
  /** Without a slash; absent: one is made up. */
  readonly name?: string
  /** `linux/amd64` */
  readonly platform?: string
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly networkingConfig?: NetworkingConfig
  /** Of a read-only bind only the top mount is, without a word about it. Default: what is mounted below, too. */
  readonly isReadOnlyNonRecursive?: boolean
  /** The request that creates it starts it, too. */
  readonly isStarted?: boolean
  /** It runs a step of a build: removed when a daemon finds it at its start. */
  readonly isOfBuild?: boolean
  /** Called when a part of the work is done. */
  readonly onPhase?: ((phase: 'image') => void) | undefined
}

/** A container that could be created: everything is checked and nothing is made. */
export interface ContainerPlan {
  readonly container: ContainerRecord
  readonly mounts: readonly PlannedMount[]
  readonly userNamespace: UserNamespacePlan
  readonly warnings: readonly string[]
}

/**
 * Makes a container: layer, volumes with image content, row. NOT_FOUND (image, network, other container),
 * INVALID_ARGUMENT, CONFLICT (name). A failure leaves nothing but named volumes.
 */
export async function createContainer(
  engine: Engine,
  request: CreateRequest,
): Promise<{ id: string; warnings: string[] }> {
  const plan = planContainer(engine, request)
  const { id, name } = plan.container
  using _reservation = engine.containers.reserveName(name, id)
  await using undo = new AsyncDisposableStack()

  undo.defer(() => removeLeftovers(engine, id))
  const root = rootDirectoryOf(plan.container.hostConfig)
  if (root === undefined) {
    engine.images.createContainerLayer(id, plan.container.imageId, engine.spareDirectories.take())
    undo.defer(() => releaseLayer(plan.container, engine.config.defaultStorageBytes))
    limitLayer(plan.container, engine.config.defaultStorageBytes)
  } else await makeRootDirectory(engine.containers.directory(id), root)
  const holdLayers = (): void => {
    if (root === undefined) engine.images.holdLayers(id, plan.container.imageId)
  }
  // Volumes get copies of what is in the layers, which takes a while.
  if (plan.mounts.some(({ kind }) => kind !== 'ready')) {
    volatileTransaction(engine.store, holdLayers)
  }
  request.onPhase?.('image')

  const anonymous: Volume[] = []
  const mounts: MountPoint[] = []
  for (const planned of plan.mounts) {
    if (planned.kind === 'ready') {
      mounts.push(planned.mount)
      continue
    }
    const isAnonymous = planned.mount.isAnonymous
    const volume = isAnonymous
      ? newVolume(engine, planned.volume)
      : await createVolume(engine, planned.volume)
    if (isAnonymous) {
      undo.defer(() => removeVolumeFiles(engine, volume.name))
      makeVolumeDirectory(engine, volume)
      anonymous.push(volume)
    }
    const { name, driver, mountpoint: source } = volume
    mounts.push({ ...planned.mount, name, driver, source })
  }
  const container = { ...plan.container, mounts }
  await copyUp(engine, container)

  engine.events.commit('volatile', () => {
    for (const volume of anonymous) {
      engine.volumes.insert(volume)
      engine.events.add(volumeEvent(volume, 'create'))
    }
    holdLayers()
    engine.containers.insert({ ...container, createdAtNs: engine.clock.nowNs() })
    engine.userNamespaces.insert(id, plan.userNamespace)
    engine.events.add(containerEvent(container, 'create'))
  })
  undo.move()
  // With --rm it would be removed after a power cut, running or not, so nobody waits for the disk.
  if (!isOfOneRequest(request)) await engine.store.flush()
  for (const volume of anonymous) finishVolumeDirectory(engine, volume)
  return { id, warnings: [...plan.warnings] }
}

/** All decisions and checks of a creation; for `createContainer` and `explainContainer`. */
export function planContainer(engine: Engine, request: CreateRequest): ContainerPlan {
  const { hostConfig: rawHostConfig } = request
  const reference = request.config.Image ?? ''
  assertText(request.config, {
    HostConfig: rawHostConfig,
    NetworkingConfig: request.networkingConfig,
    name: request.name,
  })
  if (request.name !== undefined) validateName(request.name)
  const root = rootDirectoryOf(rawHostConfig)
  const { Cmd: command, Entrypoint: entrypoint } = request.config
  if (reference === '' && root === undefined && !command?.length && !entrypoint?.length) {
    throw new EngineError('INVALID_ARGUMENT', 'no command specified')
  }
  const image = root === undefined ? engine.images.get(reference) : NO_IMAGE
  assertPlatform(image.config, reference, request.platform ?? '')
  const sharing = withSharedIds(engine, rawHostConfig)
  const hostConfig = withHostDefaults(sharing, engine.config, engine.host)
  const config = mergeConfig(request.config, image.config.config ?? {})
  // Conflicts are between what the user said: the image's ports do not count against --network container:X.
  const asked = { ...config, ExposedPorts: request.config.ExposedPorts ?? {} }
  const warnings = validateContainer(
    asked,
    { ...hostConfig, ...rawMode(rawHostConfig) },
    {
      facts: engine.host,
      cpuCount: engine.cpuCount,
    },
  )
  warnings.push(...deviceWeightWarnings(hostConfig), ...sctpWarnings(hostConfig))
  assertNoNul(config, { ...hostConfig, NetworkingConfig: request.networkingConfig })
  parseSecurityOptions(hostConfig.SecurityOpt ?? [], engine.config)
  containerScope(engine, { id: '', hostConfig })
  containerLabels(engine, { id: '', hostConfig })
  parseLogSettings(config, hostConfig)
  checkStorageSize(hostConfig, {
    dataRoot: engine.config.dataRoot,
    hasImage: root === undefined,
  })
  const userNamespace = planUserNamespace(
    hostConfig,
    engine.config.usernsRemap,
    engine.host,
    sharedUserNamespace(engine, hostConfig),
  )
  // Clients name the endpoint as they name the mode.
  const networking = withoutSharedEndpoint(rawHostConfig, request.networkingConfig ?? {})
  const mounts = askedFor(() => {
    warnings.push(...validateExtensions(engine, hostConfig))
    assertSharedContainersExist(engine, rawHostConfig, request.name)
    assertNetworksExist(engine, hostConfig, networking)
    return planMounts(config, hostConfig, (other) => engine.containers.get(other), {
      isReadOnlyNonRecursive: request.isReadOnlyNonRecursive === true,
      dataRoot: engine.config.dataRoot,
    })
  })
  for (const { mount } of mounts) {
    assertBindSourceExists(mount)
    if (mount.type === 'image') askedFor(() => engine.images.get(mount.name ?? ''))
  }
  const destinations = [
    ...mounts.map(({ mount }) => mount.destination),
    ...Object.keys(hostConfig.Tmpfs ?? {}),
  ]
  askedFor(() => validateSecrets(engine, hostConfig, destinations))
  const links = resolveLinks(engine, hostConfig)

  const id = newContainerId(engine)
  const name = request.name ?? generateName((candidate) => engine.containers.isNameTaken(candidate))
  engine.containers.assertNameFree(name)
  const container: ContainerRecord = {
    id,
    name,
    createdAtNs: engine.clock.nowNs(),
    ...commandOf(config),
    config: { ...config, Hostname: chooseHostname(id, config, hostConfig) },
    hostConfig: links.length === 0 ? hostConfig : { ...hostConfig, Links: links },
    networkingConfig: networking,
    imageId: image.id,
    imageReference: root?.path ?? reference,
    platform: 'linux',
    state: { status: 'created', ...NEVER_RUN },
    restartCount: 0,
    mounts: [],
    driver: 'overlay2',
    layers: root === undefined ? engine.images.snapshotLayers(image.id) : layersOf(root),
    bookkeeping: {
      ...NEW_BOOKKEEPING,
      isStartPending: isOfOneRequest(request),
      isOfBuild: request.isOfBuild === true,
    },
    ...containerPaths(engine.config, id, hostConfig),
  }
  return { container, mounts, userNamespace, warnings }
}

/** Its whole life: it is created, started and removed. */
function isOfOneRequest({ isStarted, hostConfig }: CreateRequest): boolean {
  return isStarted === true && hostConfig.AutoRemove === true
}

/** For `--rootfs`. */
const NO_IMAGE: {
  readonly id: string
  readonly config: { os?: string; architecture?: string; config?: ImageExecConfig }
} = { id: '', config: {} }

function layersOf(root: RootDirectory): string[] {
  return root.isLayer ? [root.path] : []
}

/** What else than the image is missing makes the request invalid: to NOT_FOUND clients answer with a pull. */
function askedFor<T>(check: () => T): T {
  try {
    return check()
  } catch (cause) {
    if (!isEngineError(cause, 'NOT_FOUND')) throw cause
    throw new EngineError('INVALID_ARGUMENT', cause.message, { cause })
  }
}

/** NetworkMode as the user wrote it: `default` and `` have no conflicts. */
function rawMode(hostConfig: HostConfig): Pick<HostConfig, 'NetworkMode'> {
  return { NetworkMode: hostConfig.NetworkMode ?? '' }
}

export function validateName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  )
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm' }

export function assertPlatform(
  image: { os?: string; architecture?: string },
  reference: string,
  wanted: string,
): void {
  if (wanted === '') return
  const [os = '', architecture = ''] = wanted.split('/')
  const own = image.architecture ?? ARCHITECTURES[arch()] ?? arch()
  if (os === (image.os ?? 'linux') && (architecture === '' || architecture === own)) return
  throw new EngineError(
    'NOT_FOUND',
    `image with reference ${reference} was found but its platform (${image.os ?? 'linux'}/${own}) does not match the specified platform (${wanted})`,
  )
}

function assertSharedContainersExist(
  engine: Engine,
  hostConfig: HostConfig,
  name: string | undefined,
): void {
  // With the name of another it is that one's name that is refused.
  if (name === undefined || !engine.containers.isNameTaken(name)) assertJoinsOther(hostConfig, name)
  const modes = [hostConfig.NetworkMode, hostConfig.IpcMode, hostConfig.PidMode]
  for (const mode of modes) {
    if (mode?.startsWith('container:') === true) {
      engine.containers.get(mode.slice('container:'.length))
    }
  }
}

function assertNetworksExist(
  engine: Engine,
  hostConfig: HostConfig,
  networking: NetworkingConfig,
): void {
  const mode = parseNetworkMode(hostConfig)
  if (mode.kind === 'network' && !isDefaultBridgeOff(engine, mode.name)) {
    engine.networks.get(mode.name)
  }
  for (const [name, endpoint] of Object.entries(networking.EndpointsConfig ?? {})) {
    assertAddresses(name, endpoint)
    if (name !== 'default' && !isDefaultBridgeOff(engine, name)) engine.networks.get(name)
  }
}

/** moby daemon/container_operations.go verifyNetworkingConfig */
function assertAddresses(name: string, endpoint: EndpointConfig | null | undefined): void {
  if (endpoint === null || endpoint === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `no EndpointSettings for ${name}`)
  }
  const { IPv4Address: ipv4 = '', IPv6Address: ipv6 = '' } = endpoint.IPAMConfig ?? {}
  if (ipv4 !== '' && isIP(ipv4) !== 4) {
    throw new EngineError('INVALID_ARGUMENT', `invalid IPv4 address: ${ipv4}`)
  }
  if (ipv6 !== '' && isIP(ipv6) !== 6) {
    throw new EngineError('INVALID_ARGUMENT', `invalid IPv6 address: ${ipv6}`)
  }
}

/** With `--bridge none` the default network is none, as in dockerd. */
function isDefaultBridgeOff(engine: Engine, name: string): boolean {
  return name === 'bridge' && engine.networks.defaultNetwork === 'none'
}

function assertBindSourceExists(mount: MountPoint): void {
  if (mount.type !== 'bind' || mount.createSource || existsSync(mount.source)) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
  )
}

function chooseHostname(id: string, config: ContainerConfig, hostConfig: HostConfig): string {
  if ((config.Hostname ?? '') !== '') return config.Hostname ?? ''
  const isHosts = hostConfig.NetworkMode === 'host' || (hostConfig.UTSMode ?? '') !== ''
  return isHosts ? hostname() : shortId(id)
}

/** Of a container that has no row: its files, and its hold on the layers of its image. Idempotent. */
export async function removeLeftovers(engine: Engine, id: string): Promise<void> {
  const removeLayers = volatileTransaction(engine.store, () => engine.images.releaseLayers(id))
  removeContainerFiles(engine, id)
  await removeLayers()
}

/** Frees the place at once; the files go in the background, when the removal is on the disk. Idempotent. */
export function removeContainerFiles(engine: Engine, id: string): void {
  // Nothing else will have its name.
  engine.trash.add(containerFilesDir(engine.config.execRoot, id))
  const directory = engine.containers.directory(id)
  const doomed = removedDirectory(engine.config.dataRoot, id)
  try {
    renameSync(directory, doomed)
    engine.trash.add(doomed)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    // Somebody has mounted something there: it goes where it is, and the next start looks there, too.
    if (!isErrno(error, 'EXDEV', 'EBUSY')) throw error
    engine.trash.add(directory)
  }
}
