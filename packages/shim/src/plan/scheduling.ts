import { invalid } from '@ctr/errdefs'
import type { RuntimeProcess, RuntimeScheduler } from '@ctr/oci'
import type { Op } from '../ops.ts'

/** sched(7) */
const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
}

/** sched_setattr(2) */
const FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
}

/** ioprio_set(2) */
const IO_CLASSES: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
}
const IO_CLASS_SHIFT = 13
const IO_LEVELS = 8

/** `process.scheduler` and `process.ioPriority`. INVALID_ARGUMENT. runtime-spec config.md#linux-process */
export function planScheduling({ scheduler, ioPriority }: RuntimeProcess): Op[] {
  return [
    ...(scheduler === undefined
      ? []
      : [{ op: 'sched_attr', attr: schedulerAttributes(scheduler) } as const]),
    ...(ioPriority === undefined
      ? []
      : [{ op: 'io_priority', value: ioPriorityValue(ioPriority) } as const]),
  ]
}

/** struct sched_attr, SCHED_ATTR_SIZE_VER0. */
function schedulerAttributes(scheduler: RuntimeScheduler): Buffer {
  const policy = need(POLICIES, scheduler.policy, 'scheduler policy')
  const flags = (scheduler.flags ?? []).map((flag) => need(FLAGS, flag, 'scheduler flag'))
  const { nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler
  if (!Number.isInteger(nice) || nice < -20 || nice > 19) {
    throw invalid(`invalid scheduler.nice: ${nice} should be between -20 and 19`)
  }
  const attributes = Buffer.alloc(48)
  attributes.writeUInt32LE(attributes.length, 0)
  attributes.writeUInt32LE(policy, 4)
  attributes.writeBigUInt64LE(BigInt(flags.reduce((all, flag) => all | flag, 0)), 8)
  attributes.writeInt32LE(nice, 16)
  attributes.writeUInt32LE(natural(priority, 'priority'), 20)
  attributes.writeBigUInt64LE(BigInt(natural(runtime, 'runtime')), 24)
  attributes.writeBigUInt64LE(BigInt(natural(deadline, 'deadline')), 32)
  attributes.writeBigUInt64LE(BigInt(natural(period, 'period')), 40)
  return attributes
}

function ioPriorityValue({
  class: name,
  priority = 0,
}: {
  readonly class: string
  readonly priority?: number | undefined
}): number {
  if (!Number.isInteger(priority) || priority < 0 || priority >= IO_LEVELS) {
    throw invalid(`invalid ioPriority.Priority: ${priority}`)
  }
  return (need(IO_CLASSES, name, 'ioPriority class') << IO_CLASS_SHIFT) | priority
}

function natural(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw invalid(`invalid scheduler.${what}: ${value}`)
}

function need(table: Readonly<Record<string, number>>, name: string, what: string): number {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value === undefined) throw invalid(`invalid ${what}: ${name}`)
  return value
}
