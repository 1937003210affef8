import { readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { cgroupDirectory, findHierarchy, processStatus } from '@ctr/linux'
import { shimBinaryPath } from '@ctr/shim'
import {
  type Criu,
  dump,
  type PageServer,
  parsePageServer,
  readDescriptors,
  readExternalMounts,
  readShimPipes,
  saveDescriptors,
  saveMounts,
} from '@ctr/shim/criu'
import type { ContainerRecord } from '../container/container.ts'
import { containerEvent } from '../container/container-event.ts'
import { containerCgroup } from '../container/leftovers.ts'
import { networkModeContainer } from '../container/modes.ts'
import { compileContainerSpec, visibleHostname } from '../container/program.ts'
import { containerRuntimeDir } from '../container/runtime-dir.ts'
import { isAlive } from '../container/state.ts'
import { waitContainer } from '../container/wait.ts'
import type { Engine } from '../engine.ts'
import { SECRETS_DIRECTORY } from '../secret/mount.ts'
import { claimCheckpoint } from './directory.ts'
import { findEngineCriu } from './find-criu.ts'
import { isDumped, writeMetadata } from './metadata.ts'

export interface CheckpointRequest {
  readonly name: string
  /** Parent directory of the checkpoint; empty: the container's own. */
  readonly directory: string
  /** The container ends with the dump. */
  readonly exit: boolean
  /** Connections with others are part of it. */
  readonly tcpEstablished: boolean
  readonly fileLocks: boolean
  readonly extUnixSockets?: boolean
  /** `address:port` of a criu page-server; empty: none. */
  readonly pageServer?: string
}

/**
 * Writes the processes of a running container to a directory. If that fails, they go on and nothing is left of it. With
 * `exit` the container has exited (137) when this resolves, and its restart policy leaves it alone. CONFLICT, NOT_FOUND,
 * UNAVAILABLE without a usable criu, INTERNAL with what criu says.
 */
export async function createCheckpoint(
  engine: Engine,
  reference: string,
  request: CheckpointRequest,
): Promise<void> {
  const { id } = engine.containers.get(reference)
  pageServerOf(request)
  const controller = new AbortController()
  try {
    const exited = await engine.queues.run(id, async () => {
      const container = engine.containers.byId(id)
      if (container === undefined)
        throw new EngineError('NOT_FOUND', `No such container: ${reference}`)
      const { state } = container
      if (!isAlive(state)) {
        throw new EngineError('CONFLICT', `Container ${reference} not running`)
      }
      assertPossible(container, request)
      const exit = request.exit
        ? waitContainer(engine, id, 'next-exit', controller.signal)
        : undefined
      exit?.catch(() => undefined)
      await writeCheckpoint(engine, container, state.pid, request)
      if (request.exit) setCheckpointed(engine, id)
      engine.events.emit(containerEvent(container, 'checkpoint'))
      return { exit }
    })
    await exited.exit
  } finally {
    controller.abort()
  }
}

/** INVALID_ARGUMENT. */
function pageServerOf({ pageServer = '' }: CheckpointRequest): PageServer | undefined {
  return pageServer === '' ? undefined : parsePageServer(pageServer)
}

function assertPossible(container: ContainerRecord, request: CheckpointRequest): void {
  const { hostConfig } = container
  const refuse = (reason: string): never => {
    throw new EngineError('CONFLICT', `cannot checkpoint container ${container.name}: ${reason}`)
  }
  if (request.exit && hostConfig.AutoRemove === true) {
    refuse('it was started with --rm and would be removed with its checkpoint (leave it running)')
  }
  for (const [what, mode] of [
    ['PID', hostConfig.PidMode],
    ['IPC', hostConfig.IpcMode],
  ] as const) {
    const isJoined = networkModeContainer(mode ?? '') !== undefined || mode?.startsWith('ns:')
    if (isJoined === true) refuse(`it shares the ${what} namespace of another container`)
  }
  if (hostConfig.PidMode === 'host') refuse('its processes are in the PID namespace of the host')
}

async function writeCheckpoint(
  engine: Engine,
  container: ContainerRecord,
  pid: number,
  request: CheckpointRequest,
): Promise<void> {
  const criu = await findEngineCriu(engine)
  const directory = await claimCheckpoint(engine, container, request.directory, request.name)
  const restorePolicy = request.exit ? suspendPolicy(engine, container) : () => undefined
  try {
    // criu's own lock goes with the network namespace before the namespace's links do: a packet that came in between would
    // be answered with a reset, and the connection lost.
    if (request.tcpEstablished) await engine.networks.setPlugged(container.id, false)
    await dumpInto(engine, container, pid, { directory, criu, request })
    if (request.tcpEstablished && !request.exit) {
      await engine.networks.setPlugged(container.id, true)
    }
  } catch (error) {
    restorePolicy()
    if (request.tcpEstablished) await engine.networks.setPlugged(container.id, true)
    // The processes may have ended with images that are complete: then these are all that is left of them.
    if (isThere(pid) || !isDumped(directory)) {
      await rm(directory, { recursive: true, force: true })
    }
    if (!(error instanceof EngineError)) throw error
    throw new EngineError(
      error.code,
      `Cannot checkpoint container ${container.name}: ${error.message}`,
      { cause: error },
    )
  }
}

function isThere(pid: number): boolean {
  const state = processStatus(pid)?.state
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** Before its end is recorded, which waits for its turn in the queue. */
function setCheckpointed(engine: Engine, id: string): void {
  const { bookkeeping } = engine.containers.get(id)
  engine.events.commit(
    'volatile',
    () =>
      void engine.containers.change(id, { bookkeeping: { ...bookkeeping, isCheckpointed: true } }),
  )
}

/** Its end is asked for. Before it comes: the engine may be killed in between. */
function suspendPolicy(engine: Engine, { id, bookkeeping }: ContainerRecord): () => void {
  const before = bookkeeping
  const after = { ...before, isManuallyStopped: true, isRestartCancelled: true }
  const set = (value: typeof before): void =>
    engine.events.commit(
      'volatile',
      () => void engine.containers.change(id, { bookkeeping: value }),
    )
  set(after)
  return () => set(before)
}

async function dumpInto(
  engine: Engine,
  container: ContainerRecord,
  pid: number,
  o: { directory: string; criu: Criu; request: CheckpointRequest },
): Promise<void> {
  const { id } = container
  const { directory, criu, request } = o
  const spec = compileContainerSpec(engine, container, visibleHostname(engine, container), {
    rows: 0,
    columns: 0,
  })
  if (spec.linux?.namespaces?.some(({ type }) => type === 'user') === true) {
    throw new EngineError('CONFLICT', 'it has a user namespace of its own')
  }
  const hasTerminal = container.config.Tty === true
  const shimPid = Number(readFileSync(join(containerRuntimeDir(engine.config, id), 'shim.pid')))
  const descriptors = hasTerminal ? readDescriptors(pid) : readShimPipes(shimPid, pid)
  const mounts = readExternalMounts(pid, spec, [SECRETS_DIRECTORY])
  const networkInode = ownNetworkOf(pid)
  const { tcpEstablished, fileLocks, extUnixSockets = false } = request
  // Before the dump, which ends the processes: after it nothing has to be written, and a kill or a full disk loses nothing.
  saveDescriptors(directory, descriptors)
  saveMounts(directory, mounts)
  writeMetadata(directory, {
    version: 1,
    containerId: id,
    created: new Date(Number(engine.clock.nowNs() / 1_000_000n)).toISOString(),
    criuVersion: criu.version,
    tcpEstablished,
    fileLocks,
    extUnixSockets,
    hasNetwork: networkInode !== undefined,
    addresses: engine.networks.endpointsOfContainer(id).map((endpoint) => ({
      network: endpoint.networkName,
      ipv4: endpoint.ipv4?.address ?? '',
      ipv6: endpoint.ipv6?.address ?? '',
    })),
  })
  await dump(criu, {
    pid,
    imagesDir: directory,
    leaveRunning: !request.exit,
    tcpEstablished,
    fileLocks,
    extUnixSockets,
    pageServer: pageServerOf(request),
    mounts,
    terminalShim: hasTerminal ? shimBinaryPath : undefined,
    descriptors,
    networkInode,
    freezeCgroup: container.state.status === 'paused' ? freezerOf(engine, container) : undefined,
  })
}

/** Undefined: the engine's own. */
function ownNetworkOf(pid: number): number | undefined {
  const { ino } = statSync(`/proc/${pid}/ns/net`)
  return ino === statSync('/proc/self/ns/net').ino ? undefined : ino
}

function freezerOf(engine: Engine, container: ContainerRecord): string | undefined {
  const hierarchy =
    findHierarchy(engine.host.cgroups, 'freezer') ??
    engine.host.cgroups.hierarchies.find(({ version }) => version === 2)
  return hierarchy && cgroupDirectory(hierarchy, containerCgroup(engine, container))
}
