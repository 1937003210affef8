import { existsSync, readFileSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { isCgroupFrozen } from '@ctr/linux'
import { type ContainerRecord, fifoPath } from './record.ts'

/** Of the OCI states, and `paused` as runc has it. */
export type Status = 'created' | 'running' | 'paused' | 'stopped'

/** Derived from the live process, never stored. A zombie has stopped: its reaper is late. */
export function containerStatus(root: string, record: ContainerRecord): Status {
  if (!isAlive(record.pid, record.startTime)) return 'stopped'
  if (isFrozen(record)) return 'paused'
  return existsSync(fifoPath(root, record.id)) ? 'created' : 'running'
}

/** proc_pid_stat(5): field 3 state, field 22 start time, counted behind the name in parentheses. */
export function isAlive(pid: number, startTime: string): boolean {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return false
    throw error
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] !== 'Z' && fields[0] !== 'X' && fields[22 - 3] === startTime
}

export function isFrozen(record: Pick<ContainerRecord, 'cgroups' | 'cgroupPath'>): boolean {
  try {
    return isCgroupFrozen(record.cgroups, record.cgroupPath)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false
    throw error
  }
}

/** What hooks read on stdin and `state` prints, without runc's additions. runtime-spec runtime.md#state */
export interface OciState {
  readonly ociVersion: string
  readonly id: string
  readonly status: string
  readonly pid?: number
  readonly bundle: string
  readonly annotations?: Readonly<Record<string, string>>
}

export function ociState(
  record: Pick<ContainerRecord, 'id' | 'bundle' | 'spec' | 'pid'>,
  status: string,
): OciState {
  const { annotations } = record.spec
  return {
    ociVersion: record.spec.ociVersion,
    id: record.id,
    status,
    ...(status === 'stopped' ? {} : { pid: record.pid }),
    bundle: record.bundle,
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
  }
}
