import { EngineError, isErrno } from '@ctr/errdefs'
import { signalProcess, thawCgroup } from '@ctr/linux'
import { parseSignal, signalName } from '@ctr/oci'
import { ANSWER_TIMEOUT_MS, connectShim, findShim, killShim } from '@ctr/shim'
import { isStorageError } from '@ctr/store'
import type { Engine } from '../engine.ts'
import type { ContainerRecord, Removal } from './container.ts'
import { containerEvent } from './container-event.ts'
import { containerCgroup } from './leftovers.ts'
import { containerRuntimeDir, execRuntimeDir } from './runtime-dir.ts'
import { isAlive, isRunningForUser } from './state.ts'
import { keepWish, withWish } from './unrecorded-wish.ts'

const SIGTERM = 15
const SIGKILL = 9
/** For the kernel to end a killed process, which can take long with a lot of memory or a slow filesystem. */
const KILL_TIMEOUT_MS = 30_000

/** Sends a signal; with SIGKILL it waits for the end. CONFLICT unless it runs; INVALID_ARGUMENT (no such signal). */
export async function killContainer(
  engine: Engine,
  reference: string,
  signal: string,
): Promise<void> {
  const number = signal === '' ? SIGKILL : parseSignal(signal)
  if (number === undefined) throw new EngineError('INVALID_ARGUMENT', `invalid signal: ${signal}`)
  const { id } = engine.containers.get(reference)
  const exited = number === SIGKILL ? exitOf(engine, id) : undefined
  try {
    await engine.queues.run(id, () => killInQueue(engine, id, number))
    await exited?.promise
  } finally {
    exited?.cancel()
  }
}

async function killInQueue(engine: Engine, id: string, signal: number): Promise<void> {
  const container = engine.containers.get(id)
  const { state } = container
  if (!isRunningForUser(state)) {
    throw new EngineError('CONFLICT', `container ${id} is not running`)
  }
  if (state.status === 'restarting') {
    cancelRestart(engine, container)
    return
  }
  const stopSignal = parseSignal(container.config.StopSignal ?? '')
  // moby daemon/kill.go: with an own StopSignal other signals leave the restart policy alone.
  const endsPolicy = stopSignal === undefined || signal === SIGKILL || signal === stopSignal
  await sendSignal(engine, container, signal, { endsPolicy, killAtNs: 0n })
}

/**
 * Marks the wish first, so that a restart of the engine knows it, if the database takes it; then signals, and thaws what could not receive it.
 * Says whether the shim has done it: if not, it may not tell of the end either.
 */
export async function sendSignal(
  engine: Engine,
  container: ContainerRecord,
  signal: number,
  intent: {
    readonly endsPolicy: boolean
    readonly killAtNs: bigint
    /** Absent: as it is. */
    readonly removal?: Removal
  },
): Promise<{ readonly isShimSilent: boolean }> {
  const { id, state } = container
  const before = withWish(engine, container)
  const bookkeeping = {
    ...before,
    isManuallyStopped: true,
    isRestartCancelled: before.isRestartCancelled || intent.endsPolicy,
    killAtNs: intent.killAtNs === 0n ? before.killAtNs : intent.killAtNs,
    removal: intent.removal ?? before.removal,
  }
  try {
    engine.events.commit('volatile', () => {
      engine.containers.change(id, { bookkeeping })
      engine.events.add(containerEvent(container, 'kill', { signal: String(signal) }))
    })
  } catch (err) {
    // Who could end nothing on a full disk could make no room on it either. The end itself waits for room (`recordExit`).
    if (!isStorageError(err)) throw err
    engine.log.error({ containerId: id, err, signal }, 'a signal that cannot be recorded')
    keepWish(engine, id, bookkeeping)
  }
  let isShimSilent = false
  try {
    isShimSilent = !(await deliver(engine, container, signal))
  } catch (error) {
    // It has ended by itself meanwhile; the exit is on its way.
    if (!hasEnded(error)) {
      throw new EngineError('INTERNAL', `cannot send ${signalName(signal)} to container ${id}`, {
        cause: error,
      })
    }
  }
  if (state.status === 'paused' && intent.endsPolicy) {
    thawCgroup(engine.host.cgroups, containerCgroup(engine, container))
    recordThaw(engine, container)
  }
  return { isShimSilent }
}

/** Of a run that is about to end: its end is recorded in any case. */
function recordThaw(engine: Engine, { id, state }: ContainerRecord): void {
  if (!isAlive(state)) return
  try {
    engine.events.commit('volatile', () => {
      engine.containers.change(id, { state: { ...state, status: 'running' } })
    })
  } catch (err) {
    if (!isStorageError(err)) throw err
    engine.log.error({ containerId: id, err }, 'a thaw that cannot be recorded')
  }
}

/** True for an error of `deliver` that says that there is nothing left to signal. */
export function hasEnded(error: unknown): boolean {
  const isShimGone = error instanceof Error && error.message === 'shim died'
  return isShimGone || isErrno(error, 'ESRCH', 'EPIPE', 'ECONNRESET', 'ENOENT', 'ECONNREFUSED')
}

/**
 * By the shim. If that does not answer (it is stopped, or waits for a disk) to the process itself, which may then get
 * it a second time when the shim goes on: false. ESRCH, ENOENT, …: it has ended.
 */
export async function deliver(
  engine: Engine,
  container: ContainerRecord,
  signal: number,
): Promise<boolean> {
  try {
    const connection = engine.shims.get(container.id)
    if (connection === undefined) await signalByOther(engine, container, signal)
    else await connection.signal(signal)
    return true
  } catch (err) {
    if (!isErrno(err, 'ETIMEDOUT')) throw err
    engine.log.error({ containerId: container.id, err }, 'signal the process without its shim')
    deliverWithoutShim(engine, container, signal)
    return false
  }
}

/** The shim was silent when this engine began (recover.ts). */
async function signalByOther(
  engine: Engine,
  container: ContainerRecord,
  signal: number,
): Promise<void> {
  const runtimeDir = containerRuntimeDir(engine.config, container.id)
  const connection = await connectShim(runtimeDir, ANSWER_TIMEOUT_MS)
  try {
    await connection.signal(signal)
  } finally {
    connection.close()
  }
}

function deliverWithoutShim(engine: Engine, container: ContainerRecord, signal: number): void {
  const { state } = container
  if (isAlive(state)) signalProcess(state.pid, state.startTime, signal)
  // It would not tell us of the end. Its own end does, and nothing else is left for it to do.
  if (signal === SIGKILL) killShim(containerRuntimeDir(engine.config, container.id))
}

/** Between two runs there is nothing to signal: the next one does not come. */
export function cancelRestart(engine: Engine, container: ContainerRecord): void {
  const { id, state } = container
  if (state.status !== 'restarting') return
  const { restartAtNs: _, ...last } = state
  engine.events.commit('volatile', () => {
    engine.containers.change(id, {
      state: { ...last, status: 'exited' },
      bookkeeping: { ...container.bookkeeping, isManuallyStopped: true },
    })
  })
  // Not before it is recorded: without a timer it would be between two runs for ever.
  engine.timers.get(id)?.[Symbol.dispose]()
  engine.timers.delete(id)
  engine.waiters.exited(id, { exitCode: state.exitCode })
}

/**
 * Kills whatever the container is doing and waits for its end. Nothing to do when it does not run. `removal`: what the next engine
 * does then if this one does not live to see the end.
 */
export async function killAndWait(engine: Engine, id: string, removal?: Removal): Promise<void> {
  const exited = exitOf(engine, id)
  try {
    const isSent = await engine.queues.run(id, async () => {
      const container = engine.containers.byId(id)
      if (container === undefined) return false
      if (container.state.status === 'restarting') cancelRestart(engine, container)
      if (!isAlive(container.state)) return false
      const intent = {
        endsPolicy: true,
        killAtNs: 0n,
        ...(removal === undefined ? {} : { removal }),
      }
      await sendSignal(engine, container, SIGKILL, intent)
      return true
    })
    if (isSent) await exited.promise
  } finally {
    exited.cancel()
  }
}

/** The end of the present run, registered before anything is sent. INTERNAL after a deadline. */
function exitOf(engine: Engine, id: string): { promise: Promise<void>; cancel: () => void } {
  const controller = new AbortController()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = engine.clock.after(KILL_TIMEOUT_MS, () =>
    reject(
      new EngineError('INTERNAL', `tried to kill container, but did not receive an exit event`),
    ),
  )
  late.catch(() => undefined) // nobody may be waiting any more
  const stuck = engine.clock.after(ANSWER_TIMEOUT_MS, () => endStoppedExecs(engine, id))
  const exited = engine.waiters.add(id, 'attempt', controller.signal).then(() => undefined)
  return {
    promise: Promise.race([exited, late]),
    cancel: () => {
      controller.abort()
      timer[Symbol.dispose]()
      stuck[Symbol.dispose]()
    },
  }
}

/**
 * PID 1 of a PID namespace ends after everything in it was reaped, and a process of an exec by its shim only: one that somebody has
 * stopped (SIGSTOP) holds up the end of the container. Its process is dead already. pid_namespaces(7)
 */
function endStoppedExecs(engine: Engine, containerId: string): void {
  for (const { id, state } of engine.execs.ofContainer(containerId)) {
    const runtimeDir = execRuntimeDir(engine.config, id)
    if (state.status !== 'running' || findShim(runtimeDir)?.condition !== 'stopped') continue
    engine.log.warn({ containerId, execId: id }, 'end the stopped shim of an exec')
    killShim(runtimeDir)
  }
}

/** StopSignal of the container; SIGTERM without one. */
export function stopSignalOf(container: ContainerRecord): number {
  return parseSignal(container.config.StopSignal ?? '') ?? SIGTERM
}
