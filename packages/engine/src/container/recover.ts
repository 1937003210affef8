import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { isCgroupFrozen, thawCgroup } from '@ctr/linux'
import type { Endpoint, StartingEndpoint } from '@ctr/network'
import { killShim, type ShimConnection } from '@ctr/shim'
import { isStorageError } from '@ctr/store'
import type { Engine } from '../engine.ts'
import { recordExecExit, superviseExec } from '../exec/start.ts'
import { recoverVolumes } from '../volume/recover.ts'
import { closeScope } from './close-scope.ts'
import { isConfiguredWith, withoutNetwork } from './configured-networks.ts'
import { portBindings, unrecordedEndpoints } from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent, networkEvent } from './container-event.ts'
import { removeLeftovers } from './create.ts'
import { endedUnrecorded, recordExit, superviseContainer } from './exit.ts'
import { networkTarget } from './forwards.ts'
import { containerCgroup, killLeftovers } from './leftovers.ts'
import { type Probe, probeRuntimeDir } from './probe.ts'
import { resume } from './resume.ts'
import {
  containerRuntimeDir,
  containersFilesDir,
  containersRuntimeDir,
  execRuntimeDir,
  execsRuntimeDir,
  isRuntimeDirOf,
} from './runtime-dir.ts'
import { withRuntimeFiles } from './runtime-files.ts'
import { isAlive, lastRun } from './state.ts'
import { recoverWish } from './unrecorded-wish.ts'
import { untilRecorded } from './until-recorded.ts'

const ANSWER_DEADLINE_MS = 3000

/**
 * Makes the rows and the host agree after the previous engine has ended in whatever way: adopts what runs, records what
 * has ended, finishes or undoes what was half done, removes what belongs to nobody. One container never holds up the
 * rest: a shim that does not answer in time is waited for in the background.
 */
export async function recover(engine: Engine): Promise<void> {
  const directories = await listRuntimeDirs(containersRuntimeDir(engine.config))
  const execDirectories = await listRuntimeDirs(execsRuntimeDir(engine.config))
  await Promise.all(
    engine.containers.all().map((container) => {
      const hasDirectory = directories.some((name) => isRuntimeDirOf(baseName(name), container.id))
      return isolate(engine, container.id, () => recoverContainer(engine, container, hasDirectory))
    }),
  )
  await Promise.all(
    engine.execs.all().map((exec) => isolate(engine, exec.id, () => recoverExec(engine, exec.id))),
  )
  await removeOrphanedRuntimeDirs(engine, directories, execDirectories)
  await removeOrphanedFiles(engine)
  await recoverVolumes(engine)
  const live = engine.containers.all().filter((container) => isAlive(container.state))
  await engine.networks.reconcile(new Set(live.map((container) => container.id)))
  for (const { id } of live) finishNetworkChanges(engine, id)
  for (const container of engine.containers.all()) resume(engine, container)
}

/** Of a container that was being connected or disconnected when the engine was killed. In the background: its shim may be silent. */
function finishNetworkChanges(engine: Engine, id: string): void {
  if (!engine.networks.hasUnfinishedChanges(id)) return
  engine.background.run('finish a change of networks', id, () =>
    engine.queues.run(id, async () => {
      const container = engine.containers.byId(id)
      if (container === undefined || !isAlive(container.state)) return
      const target = networkTarget(engine, id, container.state)
      await withRuntimeFiles(engine, container, (follow) =>
        engine.networks.finishChanges(id, target, {
          ports: portBindings(container),
          record: (write) =>
            engine.events.commit('volatile', () => {
              const before = engine.networks.endpointsOfContainer(id)
              write()
              follow()
              forgetLeftNetworks(engine, id, before)
            }),
        }),
      )
    }),
  )
}

/** Within a transaction: it was to be disconnected from those that it is configured with and on no more. */
function forgetLeftNetworks(engine: Engine, id: string, before: readonly Endpoint[]): void {
  const after = new Set(engine.networks.endpointsOfContainer(id).map(({ networkId }) => networkId))
  for (const { networkId, networkName } of before) {
    const container = engine.containers.get(id)
    if (after.has(networkId) || !isConfiguredWith(engine, container, networkId)) continue
    const networkingConfig = withoutNetwork(engine, container, networkId)
    engine.containers.changeDocuments(id, { networkingConfig })
    engine.events.add(networkEvent(engine, container, { networkId, networkName }, 'disconnect'))
  }
}

/** A failure of one is logged and does not stop the start of the engine. */
async function isolate(engine: Engine, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (err) {
    engine.log.error({ id, err }, 'recovery')
  }
}

async function listRuntimeDirs(parent: string): Promise<string[]> {
  try {
    return await readdir(parent)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** Without what `probeRuntimeDir` appends. */
function baseName(name: string): string {
  return name.replace(/\.gone$/, '')
}

async function recoverContainer(
  engine: Engine,
  container: ContainerRecord,
  hasDirectory: boolean,
): Promise<void> {
  if (!hasDirectory && !isAlive(container.state)) return
  recoverWish(engine, container)
  await withDeadline(
    engine,
    container.id,
    containerRuntimeDir(engine.config, container.id),
    (probe) => settleInQueue(engine, container.id, probe),
  )
}

/** Settles now, or later in the background if the shim does not answer: it may go on. */
async function withDeadline(
  engine: Engine,
  id: string,
  runtimeDir: string,
  settle: (probe: Probe) => Promise<void>,
  onLate: () => unknown = () => undefined,
): Promise<void> {
  const settled = probeRuntimeDir(runtimeDir).then(settle)
  const { promise: late, resolve } = Promise.withResolvers<'late'>()
  using _timer = engine.clock.after(ANSWER_DEADLINE_MS, () => resolve('late'))
  if ((await Promise.race([settled, late])) !== 'late') return
  engine.log.error({ id, runtimeDir }, 'a shim does not answer; going on without it')
  onLate()
  engine.supervision.run('late recovery', id, () => settled)
}

/** A database that does not take it now does not stop the start of the engine. */
async function settleInQueue(engine: Engine, id: string, probe: Probe): Promise<void> {
  const settle = (): Promise<void> =>
    engine.queues.run(id, () => settleContainer(engine, id, probe))
  try {
    await settle()
  } catch (err) {
    if (!isStorageError(err)) throw err
    engine.log.error({ containerId: id, err }, 'recovery')
    engine.supervision.run('recovery', id, async () => {
      await untilRecorded(engine, id, settle, (error) => {
        if (probe.kind !== 'running')
          endedUnrecorded(engine, id, probe.kind === 'ended' ? probe.record : undefined, error)
      })
      const container = engine.containers.byId(id)
      if (container !== undefined) resume(engine, container)
    })
  }
}

async function settleContainer(engine: Engine, id: string, probe: Probe): Promise<void> {
  const container = engine.containers.byId(id)
  if (container === undefined) return
  switch (probe.kind) {
    case 'running':
      await adopt(engine, container, probe.connection)
      return
    case 'ended':
      // The killed engine may have recorded the exit and not have come to remove the directory.
      if (container.state.finishedAtNs === probe.record.finishedAtNs) break
      if (!isAlive(container.state)) recordLateStart(engine, container, probe.record.finishedAtNs)
      await recordExit(engine, engine.containers.get(id), probe.record)
      break
    case 'lost':
      await killLeftovers(engine, container)
      await recordExit(engine, container, undefined)
  }
  await closeScope(engine, id)
  await removeRuntimeDir(containerRuntimeDir(engine.config, id))
}

/** It runs. If the row does not say so, its start was under way when the engine was killed. */
async function adopt(
  engine: Engine,
  container: ContainerRecord,
  connection: ShimConnection,
): Promise<void> {
  const { id, state } = container
  const { pid, startTime } = connection
  const isKnown = isAlive(state) && state.pid === pid && state.startTime === startTime
  if (!isKnown) {
    const endpoints = await unrecordedEndpoints(engine, container)
    const process = { pid, startTime, endpoints }
    recordLateStart(engine, container, connection.startedAtNs, process)
  }
  settleFreezer(engine, engine.containers.get(id))
  superviseContainer(engine, id, connection)
  engine.log.info({ containerId: id, pid }, 'adopted')
}

/**
 * The killed engine may have been in the middle of a pause, an unpause or a commit, which freezes too: nobody would thaw
 * what is not known to be paused.
 */
function settleFreezer(engine: Engine, container: ContainerRecord): void {
  const { id, state } = container
  const cgroup = containerCgroup(engine, container)
  try {
    if (state.status === 'running') thawCgroup(engine.host.cgroups, cgroup)
    if (state.status !== 'paused' || isCgroupFrozen(engine.host.cgroups, cgroup)) return
    engine.events.commit('volatile', () => {
      engine.containers.change(id, { state: { ...state, status: 'running' } })
      engine.events.add(containerEvent(container, 'unpause'))
    })
  } catch (err) {
    // A host without a freezer, or the container ends just now.
    engine.log.debug({ containerId: id, err }, 'look at the freezer')
  }
}

interface LateProcess {
  readonly pid: number
  readonly startTime: bigint
  readonly endpoints: readonly StartingEndpoint[]
}

/** The start that the killed engine did not come to record. */
function recordLateStart(
  engine: Engine,
  container: ContainerRecord,
  startedAtNs: bigint,
  // A process that has ended already: any pid but 0 will do for the moment before its exit is recorded.
  { endpoints, ...process }: LateProcess = { pid: 1, startTime: 0n, endpoints: [] },
): void {
  engine.events.commit('volatile', () => {
    for (const endpoint of endpoints) endpoint.record()
    engine.containers.change(container.id, {
      state: {
        ...lastRun(container.state),
        status: 'running',
        ...process,
        startedAtNs,
        exitCode: 0,
        isOomKilled: false,
        error: '',
      },
      bookkeeping: {
        ...container.bookkeeping,
        hasStartedBefore: true,
        isManuallyStopped: false,
        isRestartCancelled: false,
        killAtNs: 0n,
      },
    })
    engine.events.add(containerEvent(container, 'start'))
  })
}

async function recoverExec(engine: Engine, id: string): Promise<void> {
  const exec = engine.execs.get(id)
  const runtimeDir = execRuntimeDir(engine.config, id)
  if (exec.state.status === 'exited') {
    await removeRuntimeDir(runtimeDir)
    return
  }
  await withDeadline(engine, id, runtimeDir, async (probe) => {
    if (engine.execs.find(id) === undefined) return
    if (probe.kind === 'running') {
      const { pid, startTime } = probe.connection
      if (exec.state.status === 'created') {
        engine.events.commit('volatile', () => {
          engine.execs.change(id, { status: 'running', pid, startTime })
        })
      }
      superviseExec(engine, id, probe.connection)
      return
    }
    if (exec.state.status === 'created' && probe.kind === 'ended') {
      const exitCode = probe.record.exitCode
      engine.events.commit('volatile', () => {
        engine.execs.change(id, { status: 'exited', pid: 0, exitCode })
      })
    }
    recordExecExit(engine, id, probe.kind === 'ended' ? probe.record : undefined)
    await removeRuntimeDir(runtimeDir)
  })
}

async function removeRuntimeDir(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await rm(`${path}.gone`, { recursive: true, force: true })
}

const SIGKILL = 9

/** Of containers and execs that have no row: whatever still runs there is killed. */
async function removeOrphanedRuntimeDirs(
  engine: Engine,
  directories: readonly string[],
  execDirectories: readonly string[],
): Promise<void> {
  const containerIds = engine.containers.all().map(({ id }) => id)
  const execIds = engine.execs.all().map(({ id }) => id)
  const orphans = [
    ...orphansOf(directories, containerIds).map((name) =>
      join(containersRuntimeDir(engine.config), name),
    ),
    ...orphansOf(execDirectories, execIds).map((name) =>
      join(execsRuntimeDir(engine.config), name),
    ),
  ]
  await Promise.all(
    orphans.map((path) =>
      isolate(engine, path, () =>
        withDeadline(
          engine,
          path,
          path,
          async (probe) => {
            engine.log.warn({ path, found: probe.kind }, 'a runtime directory without a row')
            if (probe.kind === 'running') {
              await probe.connection.signal(SIGKILL).catch(() => undefined)
              await probe.connection.exited.catch(() => undefined)
            }
            await removeRuntimeDir(path)
          },
          () => killShim(path) || killShim(`${path}.gone`),
        ),
      ),
    ),
  )
}

function orphansOf(names: readonly string[], ids: readonly string[]): string[] {
  const bases = new Set(names.map(baseName))
  return [...bases].filter((name) => !ids.some((id) => isRuntimeDirOf(name, id)))
}

/** Layers and directories of creations that were not finished, and of removals that were. */
async function removeOrphanedFiles(engine: Engine): Promise<void> {
  const { dataRoot, execRoot } = engine.config
  const orphans = new Set([
    ...(await listRuntimeDirs(join(dataRoot, 'containers'))),
    ...(await listRuntimeDirs(containersFilesDir(execRoot))),
    ...engine.images.containerLayerIds(),
  ])
  for (const id of orphans) {
    if (engine.containers.byId(id) !== undefined) continue
    engine.log.info({ containerId: id }, 'remove files of a container without a row')
    await isolate(engine, id, () => removeLeftovers(engine, id))
  }
}
