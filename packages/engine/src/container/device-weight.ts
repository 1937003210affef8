import { readFileSync, statSync } from 'node:fs'
import type { HostConfig } from '@ctr/api'
import { deviceNumbers } from '@ctr/linux'

/** Of --blkio-weight-device: the kernel takes a weight only for a device that BFQ schedules. */
export function deviceWeightWarnings({ BlkioWeightDevice }: HostConfig): string[] {
  return (BlkioWeightDevice ?? []).flatMap(({ Path = '', Weight = 0 }) => {
    const scheduler = Weight === 0 ? undefined : schedulerOf(Path)
    if (scheduler === undefined || scheduler === 'bfq') return []
    return [`Block I/O weight of ${Path} has no effect: its scheduler is ${scheduler}, not bfq.`]
  })
}

/** Undefined for what is no disk. A partition has that of its disk. block/switching-sched.rst */
function schedulerOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isBlockDevice() !== true) return undefined
  const { major, minor } = deviceNumbers(stat.rdev)
  const device = `/sys/dev/block/${major}:${minor}`
  const text = readText(`${device}/queue/scheduler`) ?? readText(`${device}/../queue/scheduler`)
  return /\[([^\]]+)\]/.exec(text ?? '')?.[1]
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // absent: a fact like any other
  }
}
