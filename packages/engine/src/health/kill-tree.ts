import { readFileSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { processStartTime, signalProcess } from '@ctr/linux'

const SIGKILL = 9
/** A probe that forks without end is not followed without end. */
const MAX_PROCESSES = 1024

/** Kills a process and what it has started: a shell's child would outlive the shell. */
export function killTree(pid: number, startTime: bigint): void {
  for (const [process, start] of processTree(pid, startTime)) signalProcess(process, start, SIGKILL)
}

/** A process and what it has started, as pid → start time. Pids alone may be of others by the time they are used. */
export function processTree(pid: number, startTime: bigint): Map<number, bigint> {
  const found = new Map([[pid, startTime]])
  for (const [parent] of found) {
    for (const child of childrenOf(parent)) {
      const childStart = processStartTime(child)
      if (childStart !== undefined && found.size < MAX_PROCESSES) found.set(child, childStart)
    }
  }
  return found
}

/** Of its main thread. proc(5), /proc/pid/task/tid/children */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    return text.split(' ').filter(Boolean).map(Number)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return []
    throw error
  }
}
