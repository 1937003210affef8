import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { processStatus, signalProcess } from '@ctr/linux'

/** The shim that listens in a runtime directory. */
export interface ShimProcess {
  readonly pid: number
  readonly startTime: bigint
  /** Why nothing may be heard of it. */
  readonly condition: 'running' | 'stopped' | 'in an uninterruptible wait'
}

const SHIM_NAME = 'ctr-shim'
/** Until it has written its pid file. native/control.c */
const SPARE_NAME = 'ctr-spare'
const SIGKILL = 9

/**
 * By its pid file, and by what a shim does as long as it lives: it holds the directory open. A number that has become
 * another process's is never taken for it.
 */
export function findShim(runtimeDir: string): ShimProcess | undefined {
  const pid = readPid(join(runtimeDir, 'shim.pid'))
  const status = pid === undefined ? undefined : processStatus(pid)
  if (
    pid === undefined ||
    status === undefined ||
    !isShimName(status.name) ||
    !holds(pid, runtimeDir)
  )
    return undefined
  const states = [status.state, ...statesOfStarting(pid)]
  const condition = states.some(isStopState)
    ? 'stopped'
    : states.includes('D')
      ? 'in an uninterruptible wait'
      : 'running'
  return { pid, startTime: status.startTime, condition }
}

/**
 * Ends a shim that answers no more, and its process with it (PR_SET_PDEATHSIG). False if there is none. Its connections
 * end; its cgroups and its runtime directory stay.
 */
export function killShim(runtimeDir: string): boolean {
  const shim = findShim(runtimeDir)
  return shim !== undefined && signalProcess(shim.pid, shim.startTime, SIGKILL)
}

/** Ends those shims of a spawner that were stopped before they did anything of a program. True if there was one. */
export function killStoppedSpares(spawner: number): boolean {
  const stopped = childrenOf(spawner).filter((pid) => {
    const status = processStatus(pid)
    const isSpare = status?.name === SPARE_NAME && isStopState(status.state) && !hasBegun(pid)
    return isSpare && signalProcess(pid, status.startTime, SIGKILL)
  })
  return stopped.length > 0
}

/** Its pid file is there, its name is not yet: it stands in the runtime directory then, and `findShim` finds it. native/control.c */
function hasBegun(pid: number): boolean {
  try {
    return readPid(`/proc/${pid}/cwd/shim.pid`) === pid
  } catch (error) {
    if (isErrno(error, 'ESRCH', 'EACCES')) return false
    throw error
  }
}

/** By SIGSTOP, or a debugger. */
export function isStopped(pid: number | undefined): boolean {
  return pid !== undefined && isStopState(processStatus(pid)?.state ?? '')
}

/** No zombie. */
export function isRunning(pid: number | undefined): boolean {
  const state = pid === undefined ? undefined : processStatus(pid)?.state
  return state !== undefined && state !== 'Z' && state !== 'X'
}

function isStopState(state: string): boolean {
  return state === 'T' || state === 't'
}

/** For messages. */
export function describeShim(runtimeDir: string): string {
  const shim = findShim(runtimeDir)
  const what = shim === undefined ? 'no process found' : `process ${shim.pid}, ${shim.condition}`
  return `the shim in ${basename(runtimeDir)} (${what})`
}

function isShimName(name: string): boolean {
  return name === SHIM_NAME || name === SPARE_NAME
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'latin1'))
    return Number.isInteger(pid) && pid > 1 ? pid : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined
    throw error
  }
}

function holds(pid: number, runtimeDir: string): boolean {
  try {
    const directory = realpathSync(runtimeDir)
    const fds = `/proc/${pid}/fd`
    return readdirSync(fds).some((fd) => readlinkSync(`${fds}/${fd}`) === directory)
  } catch (error) {
    // It has ended, or closed one meanwhile.
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES')) return false
    throw error
  }
}

/** Of its child until that executes the container's program: the shim waits for it. */
function statesOfStarting(pid: number): string[] {
  return childrenOf(pid)
    .map((child) => processStatus(child))
    .filter((status) => status?.name === SHIM_NAME)
    .map((status) => status?.state ?? '')
}

function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
    return children === '' ? [] : children.split(' ').map(Number)
  } catch (error) {
    // Gone, or a kernel without CONFIG_PROC_CHILDREN.
    if (isErrno(error, 'ENOENT', 'ESRCH')) return []
    throw error
  }
}
