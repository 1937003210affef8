import { closeSync, readFileSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { pidfdOpen, pidfdSendSignal } from './syscalls.ts'

/**
 * When the process started, in clock ticks since boot: with the pid it names a process for ever. Undefined if there is
 * no such process; a zombie counts as one. proc_pid_stat(5) field 22
 */
export function processStartTime(pid: number): bigint | undefined {
  try {
    return parseStartTime(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/** The name of the program is in parentheses and may hold anything, so fields count from the last `)`. */
export function parseStartTime(stat: string): bigint {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = fields[22 - 3]
  if (startTime === undefined) throw new RangeError(`not a /proc/PID/stat: ${stat.slice(0, 80)}`)
  return BigInt(startTime)
}

/** What /proc/PID/stat says of a process. */
export interface ProcessStatus {
  /** Up to 15 bytes of the program's name, or what it calls itself. */
  readonly name: string
  /** One letter: R, S, D (uninterruptible wait), T (stopped), t (traced), Z (zombie), … proc_pid_stat(5) field 3 */
  readonly state: string
  /** It is about to end, or has. The first of a PID namespace ends all others first, and is a zombie only then. */
  readonly isEnding: boolean
  readonly startTime: bigint
}

/** include/linux/sched.h; of field 9 of proc_pid_stat(5) */
const PF_EXITING = 0x4

/** Undefined if there is no such process. */
export function processStatus(pid: number): ProcessStatus | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const end = stat.lastIndexOf(')')
    const name = stat.slice(stat.indexOf('(') + 1, end)
    const [state = '', , , , , , flags = ''] = stat.slice(end + 2).split(' ')
    const isEnding = (Number(flags) & PF_EXITING) !== 0
    return { name, state, isEnding, startTime: parseStartTime(stat) }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/** USER_HZ, the unit of a start time, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100

/** For how long a process has existed, by the clock that nobody can set (CLOCK_BOOTTIME). proc_uptime(5) */
export function processAgeMs(startTime: bigint): number {
  const [uptimeSeconds = '0'] = readFileSync('/proc/uptime', 'latin1').split(' ')
  return Math.max(0, Number(uptimeSeconds) * 1000 - (Number(startTime) * 1000) / TICKS_PER_SECOND)
}

/** True while the process with this pid and start time exists (also as a zombie). */
export function isProcess(pid: number, startTime: bigint): boolean {
  return processStartTime(pid) === startTime
}

/**
 * Sends a signal to exactly this process: the pidfd is opened before the start time is compared, so a pid that was used
 * again is never hit. False if the process is gone.
 */
export function signalProcess(pid: number, startTime: bigint, signal: number): boolean {
  let pidfd: number
  try {
    pidfd = pidfdOpen(pid)
  } catch (error) {
    if (isErrno(error, 'ESRCH', 'EINVAL')) return false
    throw error
  }
  try {
    if (!isProcess(pid, startTime)) return false
    pidfdSendSignal(pidfd, signal)
    return true
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false
    throw error
  } finally {
    closeSync(pidfd)
  }
}
