import { statSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { compileSeccomp, readMountInfo } from '@ctr/linux'
import { type EndpointPlan, portConflictError } from '@ctr/network'
import type { NamespaceType, RuntimeSpec } from '@ctr/oci'
import {
  compileStart,
  type IdMaps,
  initBinaryPath,
  type Program,
  type ShimConnection,
  ShimError,
  type StartInput,
} from '@ctr/shim'
import {
  addressesByNetwork,
  type CheckpointReference,
  prepareRestore,
} from '../checkpoint/restore.ts'
import type { Engine } from '../engine.ts'
import { removeTree } from '../remove-tree.ts'
import { secretEnvironment, secretOps } from '../secret/mount.ts'
import {
  addressesOf,
  connectNetworks,
  type EndpointOps,
  effectiveNetworkMode,
  networkPlan,
} from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent, mountEvents, networkEvent } from './container-event.ts'
import { resolveBlockIo, resolveDevices } from './devices.ts'
import { superviseContainer } from './exit.ts'
import { launch } from './launch.ts'
import { containerCgroup, killLeftovers } from './leftovers.ts'
import { assertLinksRun, linkEnvironment } from './links.ts'
import { parseLogSettings } from './log-options.ts'
import { networkModeContainer } from './modes.ts'
import { removeContainerRecord } from './remove.ts'
import { startRequirements } from './requirements.ts'
import { resolveContainerUser } from './resolve-user.ts'
import { writtenDirectory } from './root-directory.ts'
import { rootfsMountpoint } from './rootfs.ts'
import { containerRuntimeDir, makeRuntimeDir } from './runtime-dir.ts'
import { writeRuntimeFiles } from './runtime-files.ts'
import { openScope } from './scope.ts'
import { compileSpec } from './spec.ts'
import { describeStartFailure, type StartFailure, UNKNOWN_FAILURE } from './start-error.ts'
import { isAlive, isRunningForUser, lastRun } from './state.ts'

export interface StartOptions {
  /** Size of the terminal, set before the process runs; 0: unknown. */
  readonly consoleSize?: { readonly rows: number; readonly columns: number }
  /** Go on from there instead of running the command. */
  readonly checkpoint?: CheckpointReference | undefined
  /** Called when a part of the work is done. */
  readonly onPhase?: ((phase: 'network' | 'program' | 'shim') => void) | undefined
}

/** Resolves when the container's process runs. NOT_MODIFIED if it does already; CONFLICT; INVALID_ARGUMENT (126, 127). */
export function startContainer(
  engine: Engine,
  reference: string,
  options: StartOptions = {},
): Promise<void> {
  const container = engine.containers.get(reference)
  const { id } = container
  const start = (failure?: unknown): Promise<void> =>
    engine.queues.run(id, () => startInQueue(engine, id, { ...options, cause: 'user', failure }))
  const isReady = (container.hostConfig.Requires ?? []).length === 0
  if (isReady || isRunningForUser(container.state)) return start()
  // What it needs comes first; a failure of that is one of this start.
  return startRequirements(engine, container, (other) => startContainer(engine, other)).then(
    () => start(),
    start,
  )
}

export interface QueuedStart extends StartOptions {
  readonly cause: 'user' | 'policy'
  /** Why it cannot be started, known before. */
  readonly failure?: unknown
}

/** Only in the container's queue. A failure is recorded in the container's state. */
export async function startInQueue(
  engine: Engine,
  id: string,
  options: QueuedStart,
): Promise<void> {
  if (engine.isClosing()) throw new EngineError('UNAVAILABLE', 'the engine is ending')
  const container = engine.containers.get(id)
  assertCanStart(container, options.cause)
  const attachments = engine.pendingAttachments.take(id)
  try {
    if (options.failure !== undefined) throw options.failure
    await startProcess(engine, container, options, attachments)
  } catch (error) {
    for (const attachment of attachments) attachment.resolve(undefined)
    // A checkpoint that cannot be used says nothing about the last run.
    const { exitCode } = container.state
    const reason = toFailure(container, error)
    const failure = options.checkpoint === undefined ? reason : { ...reason, exitCode }
    await recordFailure(engine, container, failure)
    throw failure.error
  }
}

function assertCanStart(container: ContainerRecord, cause: QueuedStart['cause']): void {
  switch (container.state.status) {
    case 'running':
      throw new EngineError('NOT_MODIFIED', `container ${container.id} is already running`)
    case 'paused':
      throw new EngineError('CONFLICT', 'cannot start a paused container, try unpause instead')
    case 'removing':
    case 'dead':
      throw new EngineError('CONFLICT', 'container is marked for removal and cannot be started')
    case 'restarting':
      // Docker counts it as running: the policy will start it.
      if (cause === 'policy') return
      throw new EngineError('NOT_MODIFIED', `container ${container.id} is restarting`)
    case 'created':
    case 'exited':
  }
}

type Attachments = ReturnType<Engine['pendingAttachments']['take']>

async function startProcess(
  engine: Engine,
  container: ContainerRecord,
  options: QueuedStart,
  attachments: Attachments,
): Promise<void> {
  const { id } = container
  await using undo = new AsyncDisposableStack()
  await makeBindSources(container)

  const runtimeDir = containerRuntimeDir(engine.config, id)
  const restore =
    options.checkpoint && (await prepareRestore(engine, container, options.checkpoint, runtimeDir))

  assertLinksRun(engine, container)
  const mode = effectiveNetworkMode(engine, container)
  undo.defer(() => engine.networks.disconnect(id))
  const previous = addressesByNetwork(restore?.metadata)
  const endpoints = await connectNetworks(engine, container, mode, previous)
  options.onPhase?.('network')

  const hostname = visibleHostname(engine, container)
  writeRuntimeFiles(engine, container, mode, { hostname, addresses: addressesOf(endpoints) })
  const input = startInput(engine, container, {
    endpoints,
    hostname,
    expectAttach: attachments.length,
    consoleSize: options.consoleSize,
  })
  const program = restore?.program(input, endpoints) ?? compileStart(input, engine.host)
  options.onPhase?.('program')

  await makeRuntimeDir(runtimeDir)
  undo.defer(() => removeTree(runtimeDir))
  await using _scope = await openScope(engine, container, input.spec.linux?.resources ?? {})
  const connection = await launch(engine, program, runtimeDir, attachments).catch(async (error) => {
    // A shim that died or was killed has undone nothing.
    if (!(error instanceof ShimError)) await killLeftovers(engine, container)
    throw asPortConflict(error, program, endpoints) ?? restore?.explain(error) ?? error
  })
  options.onPhase?.('shim')
  for (const warning of connection.warnings) {
    engine.log.warn({ containerId: id, err: warning }, 'start')
  }

  recordStart(engine, container, connection, endpoints, options)
  undo.move()
  superviseContainer(engine, id, connection)
}

function recordStart(
  engine: Engine,
  container: ContainerRecord,
  connection: ShimConnection,
  endpoints: readonly EndpointPlan[],
  options: QueuedStart,
): void {
  const isByUser = options.cause === 'user'
  engine.events.commit('volatile', () => {
    engine.containers.change(container.id, {
      state: {
        ...lastRun(container.state),
        status: 'running',
        pid: connection.pid,
        startTime: connection.startTime,
        startedAtNs: connection.startedAtNs,
        exitCode: 0,
        isOomKilled: false,
        error: '',
      },
      ...(isByUser ? { restartCount: 0 } : {}),
      bookkeeping: {
        hasStartedBefore: true,
        isManuallyStopped: false,
        isRestartCancelled: false,
        killAtNs: 0n,
        restartDelayMs: isByUser ? 0 : container.bookkeeping.restartDelayMs,
      },
    })
    for (const endpoint of endpoints) {
      engine.events.add(networkEvent(engine, container, endpoint, 'connect'))
    }
    for (const event of mountEvents(engine, container, 'mount')) engine.events.add(event)
    engine.events.add(containerEvent(container, 'start'))
  })
}

export interface ProgramOptions {
  readonly endpoints: readonly EndpointOps[]
  readonly hostname: string
  readonly expectAttach: number
  readonly consoleSize: StartOptions['consoleSize']
  /** Of a container that is not made. */
  readonly idMaps?: IdMaps | undefined
  /** For `explain`: variables that are secrets are not shown. */
  readonly hidesSecrets?: boolean
}

/** The launch program, complete: what `run` executes and `run --explain` prints. */
export function compileProgram(
  engine: Engine,
  container: ContainerRecord,
  options: ProgramOptions,
): Program {
  return compileStart(startInput(engine, container, options), engine.host)
}

function startInput(
  engine: Engine,
  container: ContainerRecord,
  options: ProgramOptions,
): StartInput {
  const { config, hostConfig } = container
  const { rows, columns } = options.consoleSize ?? sizeOf(hostConfig.ConsoleSize)
  const spec = compileContainerSpec(engine, container, options.hostname, {
    rows,
    columns,
    hidesSecrets: options.hidesSecrets,
    idMaps: options.idMaps,
  })
  return {
    spec,
    containerId: container.id,
    runtimeDir: containerRuntimeDir(engine.config, container.id),
    rootfs: { ...rootFilesystem(engine, container), isIdMapped: hasUserNamespace(spec) },
    log: logTarget(engine, container),
    stdio: {
      stdin: config.OpenStdin === true,
      tty: config.Tty === true,
      stdinOnce: config.StdinOnce === true,
      rows,
      columns,
    },
    expectAttach: options.expectAttach,
    waitForStart: false,
    seccompFilter: seccompFilter(spec),
    afterMounts: secretOps(engine, hostConfig),
    network: networkPlan(options.endpoints),
    cgroupParent: engine.config.cgroupParent,
    cpuset: (hostConfig.CgroupParent ?? '') === '' ? engine.cpuset : undefined,
    ...((hostConfig.Init ?? engine.config.initByDefault) ? { initBinary: initBinaryPath } : {}),
  }
}

function rootFilesystem(engine: Engine, container: ContainerRecord): StartInput['rootfs'] {
  const mountpoint = rootfsMountpoint(engine)
  const path = writtenDirectory(container.hostConfig)
  if (path !== undefined) return { kind: 'directory', path, mountpoint }
  return {
    kind: 'overlay',
    base: engine.config.dataRoot,
    lower: container.layers,
    upper: `containers/${container.id}/upper`,
    work: `containers/${container.id}/work`,
    mountpoint,
  }
}

function hasUserNamespace(spec: RuntimeSpec): boolean {
  return spec.linux?.namespaces?.some(({ type }) => type === 'user') === true
}

/** Looks everything up that the spec needs of other containers, the image and the host. */
export function compileContainerSpec(
  engine: Engine,
  container: ContainerRecord,
  hostname: string,
  o: {
    readonly rows: number
    readonly columns: number
    readonly hidesSecrets?: boolean | undefined
    readonly idMaps?: IdMaps | undefined
  },
): RuntimeSpec {
  const cgroup =
    engine.config.cgroupDriver === 'systemd' ? containerCgroup(engine, container) : undefined
  const spec = compileSpec({
    container,
    host: engine.host,
    user: resolveContainerUser(engine, container, container.config.User ?? ''),
    devices: resolveDevices(container.hostConfig, engine.config.cdiSpecDirs),
    blockIO: resolveBlockIo(container.hostConfig),
    volumeOptions: (name) => engine.volumes.find(name)?.options ?? {},
    joined: joinedPids(engine, container),
    runtimeFiles: networkOwner(engine, container),
    hostname,
    noNewPrivileges: engine.config.noNewPrivileges,
    defaultSeccomp: engine.defaultSeccomp,
    defaultUlimits: engine.config.defaultUlimits,
    linkEnvironment: linkEnvironment(engine, container),
    secretEnvironment:
      o.hidesSecrets === true ? [] : secretEnvironment(engine, container.hostConfig),
    idMaps: o.idMaps ?? engine.userNamespaces.of(container.id),
    sourceOwner: (path) => statSync(path),
    imageLayers: (reference) =>
      engine.images
        .snapshotLayers(engine.images.get(reference).id)
        .map((layer) => resolve(engine.config.dataRoot, layer)),
    rows: o.rows,
    columns: o.columns,
  })
  return cgroup === undefined ? spec : { ...spec, linux: { ...spec.linux, cgroupsPath: cgroup } }
}

export function seccompFilter(spec: RuntimeSpec): Uint8Array | undefined {
  const rules = spec.linux?.seccomp
  return rules === undefined ? undefined : compileSeccomp(rules)
}

function logTarget(engine: Engine, container: ContainerRecord): StartInput['log'] {
  const settings = parseLogSettings(container.config, container.hostConfig, container)
  return settings === undefined ? undefined : { path: container.logPath, ...settings }
}

function sizeOf(size: readonly number[] | undefined): { rows: number; columns: number } {
  return { rows: size?.[0] ?? 0, columns: size?.[1] ?? 0 }
}

/** PIDs of the containers whose namespaces are shared. CONFLICT unless they run. */
function joinedPids(
  engine: Engine,
  container: ContainerRecord,
): Partial<Record<NamespaceType, number>> {
  const { NetworkMode, IpcMode, PidMode } = container.hostConfig
  const network = pidOf(engine, NetworkMode, 'network')
  const ipc = pidOf(engine, IpcMode, 'IPC')
  const pid = pidOf(engine, PidMode, 'PID')
  return {
    ...(network === undefined ? {} : { network }),
    ...(ipc === undefined ? {} : { ipc }),
    ...(pid === undefined ? {} : { pid }),
  }
}

function pidOf(engine: Engine, mode: string | undefined, what: string): number | undefined {
  const reference = networkModeContainer(mode ?? '')
  if (reference === undefined) return undefined
  const other = engine.containers.get(reference)
  if (isAlive(other.state)) {
    const otherIpc = other.hostConfig.IpcMode ?? ''
    if (what === 'IPC' && !['shareable', 'host'].includes(otherIpc)) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `cannot join IPC of container ${reference}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      )
    }
    if (what === 'IPC') assertOwnSharedMemory(other.state.pid)
    return other.state.pid
  }
  const text =
    what === 'network'
      ? `cannot join network of a non running container: ${other.id}`
      : `cannot join ${what} of a non running container: ${other.id}`
  throw new EngineError('CONFLICT', text)
}

/** Its /dev/shm is reached by a path of the host: nothing on the way may be what the container has put there. */
function assertOwnSharedMemory(pid: number): void {
  const mounts = readMountInfo(pid)
  const isMount = (path: string): boolean => mounts.some(({ mountpoint }) => mountpoint === path)
  if (isMount('/dev') && isMount('/dev/shm')) return
  throw new EngineError('CONFLICT', 'cannot join IPC of a container without a /dev/shm of its own')
}

/** A container that shares another's network has its name too. */
export function visibleHostname(engine: Engine, container: ContainerRecord): string {
  return networkOwner(engine, container).config.Hostname ?? ''
}

function networkOwner(engine: Engine, container: ContainerRecord): ContainerRecord {
  const reference = networkModeContainer(container.hostConfig.NetworkMode ?? '')
  const other = reference === undefined ? undefined : engine.containers.find(reference)
  return other ?? container
}

/** `-v` makes missing host directories, `--mount` has refused them at creation. */
async function makeBindSources(container: ContainerRecord): Promise<void> {
  for (const mount of container.mounts) {
    if (mount.type !== 'bind' || !mount.createSource) continue
    try {
      const first = await mkdir(mount.source, { recursive: true })
      if (first !== undefined) await makePublic(first, mount.source)
    } catch (cause) {
      // EEXIST: a file, which is as good a source.
      if (isErrno(cause, 'EEXIST')) continue
      throw new EngineError(
        'INTERNAL',
        `error while creating mount source path '${mount.source}': ${cause instanceof Error ? cause.message : ''}`,
        { cause },
      )
    }
  }
}

/** The directories from `first` down to `last` were made here: 0755, whatever the engine's umask is. */
async function makePublic(first: string, last: string): Promise<void> {
  for (let path = last; path.length >= first.length; path = dirname(path)) await chmod(path, 0o755)
}

const EADDRINUSE = 'EADDRINUSE'

/** The shim holds the host's ports: that one is taken by another program shows only there. */
function asPortConflict(
  error: unknown,
  program: Program,
  endpoints: readonly EndpointPlan[],
): EngineError | undefined {
  if (!(error instanceof ShimError) || error.op !== 'forward') return undefined
  const op = program[error.index]
  const [endpoint] = endpoints
  if (op?.op !== 'forward' || endpoint === undefined || error.code !== EADDRINUSE) return undefined
  return portConflictError({ name: endpoint.containerName, id: endpoint.id }, op.address, op.port)
}

function toFailure(container: ContainerRecord, error: unknown): StartFailure {
  if (error instanceof ShimError) return describeStartFailure(error, container.path, 'start')
  if (error instanceof EngineError) return { error, exitCode: UNKNOWN_FAILURE }
  const message = error instanceof Error ? error.message : String(error)
  return {
    error: new EngineError('INTERNAL', message, { cause: error }),
    exitCode: UNKNOWN_FAILURE,
  }
}

/** Stays in `created` (or `exited`) with the reason; with --rm it goes. moby daemon/start.go containerStart */
async function recordFailure(
  engine: Engine,
  container: ContainerRecord,
  failure: StartFailure,
): Promise<void> {
  const { state } = container
  const status = state.startedAtNs === 0n ? 'created' : 'exited'
  engine.events.commit('volatile', () => {
    engine.containers.change(container.id, {
      state: {
        ...lastRun(state),
        status,
        exitCode: failure.exitCode,
        error: failure.error.message,
      },
    })
  })
  engine.waiters.exited(container.id, {
    exitCode: failure.exitCode,
    error: failure.error.message,
  })
  if (container.hostConfig.AutoRemove === true) {
    await removeContainerRecord(engine, container.id, { volumes: true })
  }
}
