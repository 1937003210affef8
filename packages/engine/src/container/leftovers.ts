import { setTimeout as delay } from 'node:timers/promises'
import { killCgroup, processStatus, removeCgroup, signalProcess } from '@ctr/linux'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { containerCgroup } from './scope.ts'
import { isAlive } from './state.ts'

export { containerCgroup } from './scope.ts'

const SIGKILL = 9

/** What a shim that was killed has left: its process (by pid and start time), and the cgroup with all that is in it. */
export async function killLeftovers(
  engine: Pick<Engine, 'config' | 'host' | 'log'>,
  container: ContainerRecord,
): Promise<void> {
  const { state } = container
  if (isAlive(state)) signalProcess(state.pid, state.startTime, SIGKILL)
  const cgroup = containerCgroup(engine, container)
  try {
    await killCgroup(engine.host.cgroups, cgroup)
    // A process leaves its cgroup before it has let go of anything else.
    if (isAlive(state)) await processEnd(state.pid, state.startTime)
    await removeCgroup(engine.host.cgroups, cgroup)
  } catch (err) {
    // A process in an uninterruptible wait: the next start of the engine looks again.
    engine.log.error({ containerId: container.id, err }, 'leftovers of a container stay')
  }
}

const END_TIMEOUT_MS = 10_000

/** Throws if it does not come. A zombie has ended: who reaps it is not our business. */
async function processEnd(pid: number, startTime: bigint): Promise<void> {
  const signal = AbortSignal.timeout(END_TIMEOUT_MS)
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    const status = processStatus(pid)
    if (status?.startTime !== startTime || ['Z', 'X'].includes(status.state)) return
    await delay(waitMs, undefined, { signal })
  }
}
