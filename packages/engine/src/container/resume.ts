import { isEngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { scheduleRestart } from './exit.ts'
import { killAndWait } from './kill.ts'
import { removeContainer, removeContainerRecord } from './remove.ts'
import { parseRestartPolicy, startsWithEngine } from './restart-policy.ts'
import { startContainer } from './start.ts'
import { isAlive } from './state.ts'
import { withWish } from './unrecorded-wish.ts'

/** What the previous engine would have done next. */
export function resume(engine: Engine, container: ContainerRecord): void {
  const { id, state, hostConfig } = container
  const bookkeeping = withWish(engine, container)
  if (bookkeeping.removal !== '') {
    const options = { force: true, volumes: bookkeeping.removal === 'volumes' }
    engine.background.run('end a removal of the previous engine', id, () =>
      removeContainer(engine, id, options),
    )
    return
  }
  // Its build ended with the engine that began it.
  if (bookkeeping.isOfBuild) {
    engine.background.run('remove after its build', id, () =>
      removeContainer(engine, id, { force: true, volumes: true }),
    )
    return
  }
  if (isAlive(state)) {
    if (bookkeeping.killAtNs !== 0n) resumeStop(engine, id, bookkeeping.killAtNs)
    return
  }
  if (state.status === 'restarting') {
    // Never longer than it was: somebody may have set the clock meanwhile.
    const leftMs = Math.min(
      Number((state.restartAtNs - engine.clock.nowNs()) / 1_000_000n),
      bookkeeping.restartDelayMs,
    )
    if (!engine.timers.has(id)) scheduleRestart(engine, id, Math.max(0, leftMs))
    return
  }
  const isNobodys = state.status === 'created' && bookkeeping.isStartPending
  if (isNobodys || (hostConfig.AutoRemove === true && state.status === 'exited')) {
    engine.background.run('remove after its run', id, () =>
      engine.queues.run(id, async () => {
        if (engine.containers.byId(id)?.state.status !== state.status) return
        await removeContainerRecord(engine, id, { volumes: true })
      }),
    )
    return
  }
  const policy = parseRestartPolicy(hostConfig.RestartPolicy)
  const run = { exitCode: state.exitCode, restartCount: container.restartCount, ...bookkeeping }
  if (!startsWithEngine(policy, run)) return
  engine.background.run('start with the engine', id, () =>
    startContainer(engine, id).catch((error: unknown) => {
      // Another container has needed it.
      if (!isEngineError(error, 'NOT_MODIFIED')) throw error
    }),
  )
}

/** A stop whose grace was running. Its process lives, so the host has not booted anew. */
function resumeStop(engine: Engine, id: string, killAtNs: bigint): void {
  const leftMs = Number((killAtNs - engine.clock.monotonicNs()) / 1_000_000n)
  engine.timers.set(
    id,
    engine.clock.after(Math.max(0, leftMs), () => {
      engine.timers.delete(id)
      engine.background.run('end a stop of the previous engine', id, () => killAndWait(engine, id))
    }),
  )
}
