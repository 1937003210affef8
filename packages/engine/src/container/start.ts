import { chmod } from 'node:fs/promises'
import { dirname } from 'node:path'
import { EngineError, errnoText, isErrno } from '@ctr/errdefs'
import { type EndpointPlan, forwardError, lanLinkError, type StartingEndpoint } from '@ctr/network'
import { encode, type Program, type ShimConnection, ShimError, type StartInput } from '@ctr/shim'
import {
  addressesByNetwork,
  type CheckpointReference,
  prepareRestore,
} from '../checkpoint/restore.ts'
import type { Engine } from '../engine.ts'
import { makeDirectories } from '../make-directories.ts'
import { removeTree } from '../remove-tree.ts'
import { relabelForStart } from '../selinux/container-labels.ts'
import { closeScope } from './close-scope.ts'
import { addressesOf, connectNetworks, effectiveNetworkMode } from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent, mountEvents, networkEvent } from './container-event.ts'
import { endUnrecorded } from './end-unrecorded.ts'
import { superviseContainer } from './exit.ts'
import { launch } from './launch.ts'
import { killLeftovers } from './leftovers.ts'
import { assertLinksRun } from './links.ts'
import { type PreparedStart, prepareStart } from './prepared-start.ts'
import { startInput, visibleHostname } from './program.ts'
import { removeContainerRecord } from './remove.ts'
import { startRequirements } from './requirements.ts'
import { containerRuntimeDir, makeRuntimeDir } from './runtime-dir.ts'
import { updateParentHosts, writeRuntimeFiles } from './runtime-files.ts'
import { grantContainerRealtime, openScope } from './scope.ts'
import { describeStartFailure, type StartFailure, UNKNOWN_FAILURE } from './start-error.ts'
import { isRunningForUser, lastRun } from './state.ts'

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
  relabelForStart(engine, container)
  updateParentHosts(engine, container)
  const programOptions = {
    endpoints,
    hostname,
    expectAttach: attachments.length,
    consoleSize: options.consoleSize,
  }
  const { program, resources } =
    restore === undefined
      ? prepareStart(engine, container, programOptions)
      : restored(startInput(engine, container, programOptions), restore, endpoints)
  options.onPhase?.('program')

  undo.defer(() => closeScope(engine, id))
  await makeRuntimeDir(engine.config, runtimeDir)
  undo.defer(() => removeTree(runtimeDir))
  grantContainerRealtime(engine, container, resources)
  await using _scope = await openScope(engine, container, resources)
  const connection = await launch(engine, program, runtimeDir, attachments).catch(async (error) => {
    // A shim that died or was killed has undone nothing.
    if (!(error instanceof ShimError)) await killLeftovers(engine, container)
    throw asPortFailure(error, program.program, endpoints) ?? restore?.explain(error) ?? error
  })
  options.onPhase?.('shim')
  for (const warning of connection.warnings) {
    engine.log.warn({ containerId: id, err: warning }, 'start')
  }

  undo.defer(() => endUnrecorded(connection, runtimeDir))
  recordStart(engine, container, connection, endpoints, options)
  undo.move()
  superviseContainer(engine, id, connection)
}

function restored(
  input: StartInput,
  restore: NonNullable<Awaited<ReturnType<typeof prepareRestore>>>,
  endpoints: readonly EndpointPlan[],
): PreparedStart {
  const program = encode(restore.program(input, endpoints))
  return { program, resources: input.spec.linux?.resources ?? {} }
}

function recordStart(
  engine: Engine,
  container: ContainerRecord,
  connection: ShimConnection,
  endpoints: readonly StartingEndpoint[],
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
        isCheckpointed: false,
        isStartPending: false,
        isOfBuild: container.bookkeeping.isOfBuild,
        removal: '',
        killAtNs: 0n,
        restartDelayMs: isByUser ? 0 : container.bookkeeping.restartDelayMs,
      },
    })
    for (const endpoint of endpoints) {
      endpoint.record()
      engine.events.add(networkEvent(engine, container, endpoint, 'connect'))
    }
    for (const event of mountEvents(engine, container, 'mount')) engine.events.add(event)
    engine.events.add(containerEvent(container, 'start'))
  })
}

/** `-v` makes missing host directories, `--mount` has refused them at creation. */
async function makeBindSources(container: ContainerRecord): Promise<void> {
  for (const mount of container.mounts) {
    if (mount.type !== 'bind' || !mount.createSource) continue
    try {
      const first = await makeDirectories(mount.source)
      if (first !== undefined) await makePublic(first, mount.source)
    } catch (cause) {
      // EEXIST: a file, which is as good a source.
      if (isErrno(cause, 'EEXIST')) continue
      throw new EngineError(
        'INTERNAL',
        `error while creating mount source path '${mount.source}': ${mkdirText(cause)}`,
        { cause },
      )
    }
  }
}

/** As Go's os.PathError. */
function mkdirText(cause: unknown): string {
  if (!(cause instanceof Error)) return ''
  const { code, path, message } = cause as NodeJS.ErrnoException
  return code === undefined || path === undefined ? message : `mkdir ${path}: ${errnoText(code)}`
}

/** The directories from `first` down to `last` were made here: 0755, whatever the engine's umask is. */
async function makePublic(first: string, last: string): Promise<void> {
  for (let path = last; path.length >= first.length; path = dirname(path)) await chmod(path, 0o755)
}

/** The shim holds the host's ports: that one is taken by another program, or its address is not there, shows only there. */
function asPortFailure(
  error: unknown,
  program: () => Program,
  endpoints: readonly EndpointPlan[],
): EngineError | undefined {
  if (!(error instanceof ShimError)) return undefined
  if (error.op === 'netlink') return lanLinkError(endpoints, program()[error.index], error.code)
  if (error.op !== 'forward') return undefined
  const op = program()[error.index]
  const [endpoint] = endpoints
  if (op?.op !== 'forward' || endpoint === undefined) return undefined
  return forwardError({ name: endpoint.containerName, id: endpoint.id }, op, error.code)
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
  try {
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
  } catch (err) {
    // Between two runs it would wait for ever. Else the row lacks the reason, which the caller is told.
    if (state.status === 'restarting') throw err
    engine.log.error({ containerId: container.id, err }, 'record that a start has failed')
  }
  const result = { exitCode: failure.exitCode, error: failure.error.message }
  // Between two runs it counts as running, and this is its end.
  if (state.status === 'restarting') engine.waiters.exited(container.id, result)
  else engine.waiters.startFailed(container.id, result)
  if (container.hostConfig.AutoRemove === true) {
    await removeContainerRecord(engine, container.id, { volumes: true })
  }
}
