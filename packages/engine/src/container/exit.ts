import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ExitRecord, ShimConnection } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import { closeScope } from './close-scope.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent, mountEvents, networkEvent } from './container-event.ts'
import { containerCgroup, killLeftovers } from './leftovers.ts'
import { removeContainerRecord } from './remove.ts'
import { nextRestart, parseRestartPolicy } from './restart-policy.ts'
import { containerRuntimeDir, vacateRuntimeDir } from './runtime-dir.ts'
import { isAlive, lastRun } from './state.ts'
import { withWish } from './unrecorded-wish.ts'
import { untilRecorded } from './until-recorded.ts'

/** What is reported of a run that ended without a record: its shim was killed, and it with it. */
export const SHIM_DIED_EXIT_CODE = 137

/** From the start (or adoption) of a run to its end: keeps the connection and acts on what it says. */
export function superviseContainer(engine: Engine, id: string, connection: ShimConnection): void {
  engine.shims.set(id, connection)
  if (engine.networks.isAnsweredInside(id)) {
    engine.background.run('answer names of a container', id, () =>
      engine.networks.serveNames(id, connection.pid),
    )
  }
  connection.onOom(() => {
    const container = engine.containers.byId(id)
    if (container !== undefined) {
      engine.events.emit(containerEvent(container, 'oom', oomVictim(engine, container)))
    }
  })
  engine.supervision.run('supervise a container', id, async () => {
    const record = await connection.exited.catch((err: unknown) => {
      engine.log.error({ containerId: id, err }, 'the shim of a container died')
      return undefined
    })
    // The engine is going away, not the container.
    if (engine.isClosing()) return
    // Each time from the queue: meanwhile the container can be asked for other things.
    const end = (): Promise<void> =>
      engine.queues.run(id, () => endRun(engine, id, connection, record))
    await untilRecorded(engine, id, end, (error) => endedUnrecorded(engine, id, record, error))
  })
}

/** For who waits for the end. */
export function endedUnrecorded(
  { waiters }: Pick<Engine, 'waiters'>,
  id: string,
  record: ExitRecord | undefined,
  error: Error,
): void {
  waiters.endedUnrecorded(id, { exitCode: record?.exitCode ?? SHIM_DIED_EXIT_CODE }, error)
}

/** Ours: who was killed, with the host's pid. Nothing where the kernel's log cannot be read or does not say. */
function oomVictim(engine: Engine, container: ContainerRecord): Readonly<Record<string, string>> {
  const cgroup = `${containerCgroup(engine, container)}/`
  const victim = engine.oomLog.take((path) => `${path}/`.includes(cgroup))
  return victim === undefined ? {} : { victim: victim.name, victimPid: String(victim.pid) }
}

async function endRun(
  engine: Engine,
  id: string,
  connection: ShimConnection,
  record: ExitRecord | undefined,
): Promise<void> {
  if (engine.shims.get(id) === connection) engine.shims.delete(id)
  const container = engine.containers.byId(id)
  if (container === undefined) return closeScope(engine, id)
  if (record === undefined) await killLeftovers(engine, container)
  await recordExit(engine, container, record)
}

/**
 * The one way a run ends, in the container's queue: state and events in one transaction, then the waiters, then what
 * nobody waits for. `record` undefined: the shim died.
 */
export async function recordExit(
  engine: Engine,
  container: ContainerRecord,
  record: ExitRecord | undefined,
): Promise<void> {
  const { id, state } = container
  if (!isAlive(state)) return
  const finishedAtNs = record?.finishedAtNs ?? engine.clock.nowNs()
  const exitCode = record?.exitCode ?? SHIM_DIED_EXIT_CODE
  const durationMs = Number((finishedAtNs - state.startedAtNs) / 1_000_000n)
  const last = {
    ...lastRun(state),
    finishedAtNs,
    exitCode,
    isOomKilled: record?.oomKilled ?? false,
    error: record === undefined ? 'shim died' : '',
  }
  const bookkeeping = withWish(engine, container)
  const delayMs = nextRestart(parseRestartPolicy(container.hostConfig.RestartPolicy), {
    exitCode,
    durationMs,
    restartCount: container.restartCount,
    previousDelayMs: bookkeeping.restartDelayMs,
    isManuallyStopped: bookkeeping.isManuallyStopped,
    isCancelled: bookkeeping.isRestartCancelled,
  })
  const endpoints = engine.networks.endpointsOfContainer(id)
  engine.events.commit('volatile', () => {
    engine.containers.change(id, {
      state:
        delayMs === undefined
          ? { status: 'exited', ...last }
          : {
              status: 'restarting',
              ...last,
              restartAtNs: engine.clock.nowNs() + BigInt(delayMs) * 1_000_000n,
            },
      ...(delayMs === undefined ? {} : { restartCount: container.restartCount + 1 }),
      bookkeeping: {
        ...bookkeeping,
        killAtNs: 0n,
        restartDelayMs: delayMs ?? bookkeeping.restartDelayMs,
      },
    })
    forgetUnstartedExecs(engine, id)
    engine.events.add(
      containerEvent(container, 'die', {
        exitCode: String(exitCode),
        execDuration: String(Math.max(0, Math.trunc(durationMs / 1000))),
      }),
    )
    for (const endpoint of endpoints) {
      engine.events.add(networkEvent(engine, container, endpoint, 'disconnect'))
    }
    for (const event of mountEvents(engine, container, 'unmount')) engine.events.add(event)
    engine.events.onRollback(engine.networks.disconnectUnpublished(id))
  })
  engine.unrecordedWishes.delete(id)
  engine.waiters.exited(id, { exitCode })
  engine.timers.get(id)?.[Symbol.dispose]()
  engine.timers.delete(id)
  await Promise.all([engine.networks.disconnect(id), closeScope(engine, id)])
  const isRemoved =
    delayMs === undefined && container.hostConfig.AutoRemove === true && !engine.restarting.has(id)
  // A next run would need the place; without one nobody has to wait for the disk.
  const vacating = vacateRuntimeDir(containerRuntimeDir(engine.config, id))
  if (isRemoved) await Promise.all([removeContainerRecord(engine, id, { volumes: true }), vacating])
  else {
    await vacating
    if (container.hostConfig.AutoRemove === true) forgetVolatile(container)
  }
  if (delayMs !== undefined) scheduleRestart(engine, id, delayMs)
}

/** The mark of a volatile mount, which the kernel does not mount again while it is there. overlayfs.rst */
function forgetVolatile({ workDir }: ContainerRecord): void {
  rmSync(join(workDir, 'work', 'incompat'), { recursive: true, force: true })
}

/** As Docker: what was to be executed goes with the run that it was meant for. moby daemon/exec.go */
function forgetUnstartedExecs(engine: Engine, containerId: string): void {
  for (const { id, state } of engine.execs.ofContainer(containerId)) {
    if (state.status === 'created' && !engine.startingExecs.has(id)) engine.execs.delete(id)
  }
}

/** Also at recovery, for what is left of the delay. */
export function scheduleRestart(engine: Engine, id: string, delayMs: number): void {
  engine.timers.set(
    id,
    engine.clock.after(delayMs, () => {
      engine.timers.delete(id)
      engine.background.run('restart a container', id, () => engine.startByPolicy(id))
    }),
  )
}
