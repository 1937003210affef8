import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '@ctr/errdefs'
import { killCgroup, removeCgroup, stopScope, thawCgroup } from '@ctr/linux'
import type { Context } from './command.ts'
import { wrongState } from './errors.ts'
import { runPoststopHooks } from './hooks.ts'
import { findRdtGroup, removeRdtGroup, resctrlRoot } from './intel-rdt.ts'
import { type ContainerRecord, removeRecord } from './record.ts'
import { isAlive } from './status.ts'

/** Removes all that a stopped container has: what is left in its cgroup, the cgroups, the state; then the poststop hooks. */
export async function destroyContainer(context: Context, record: ContainerRecord): Promise<void> {
  await killCgroup(record.cgroups, record.cgroupPath)
  await removeCgroup(record.cgroups, record.cgroupPath)
  if (record.scope !== undefined) await stopScope(record.scope)
  removeRdtGroup(findRdtGroup(record.spec.linux?.intelRdt, record.id, resctrlRoot()))
  removeRecord(context.root, record.id)
  await runPoststopHooks(record, context.log)
}

const KILL_WAIT_MS = 10_000

/** SIGKILL, and waits until the process is gone or a zombie. */
export async function killAndWait(record: ContainerRecord): Promise<void> {
  signalInit(record, 9)
  const deadline = Date.now() + KILL_WAIT_MS
  for (let waitMs = 1; isAlive(record.pid, record.startTime); waitMs = Math.min(2 * waitMs, 100)) {
    if (Date.now() > deadline) throw wrongState('container init still running')
    await delay(waitMs)
  }
}

/** A frozen v1 cgroup does not feel its SIGKILL. */
export function signalInit(record: ContainerRecord, signal: number): void {
  try {
    if (isAlive(record.pid, record.startTime)) process.kill(record.pid, signal)
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
  if (signal !== 9) return
  try {
    thawCgroup(record.cgroups, record.cgroupPath)
  } catch {
    // Gone, or there is no freezer: then nothing is frozen.
  }
}
