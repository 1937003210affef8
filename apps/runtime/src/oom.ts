import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { cgroupDirectory, findHierarchy } from '@ctr/linux'
import type { ContainerRecord } from './record.ts'

/** v1 tells OOM kills by an eventfd, which no JavaScript can hold: its counter is looked at this often. */
const LOOK_MS = 100

export interface OomWatcher extends AsyncDisposable {
  /** Looks a last time: the kill may have been what ended the container. */
  settle(): Promise<void>
}

/** Calls `onKill` for each kill by the OOM killer in the container's cgroup from now on. */
export async function watchOom(record: ContainerRecord, onKill: () => void): Promise<OomWatcher> {
  const memory = findHierarchy(record.cgroups, 'memory')
  const file =
    memory === undefined
      ? undefined
      : `${cgroupDirectory(memory, record.cgroupPath)}/${memory.version === 1 ? 'memory.oom_control' : 'memory.events'}`
  let seen = kills(file)
  const look = (): void => {
    const count = kills(file) ?? seen
    for (let i = seen ?? 0; i < (count ?? 0); i++) onKill()
    seen = count
  }
  let watcher: FSWatcher | undefined
  // memory.events is a file that inotify knows. cgroup-v2.rst
  if (memory?.version === 2 && file !== undefined) watcher = watch(file, look)
  const timer = setInterval(look, LOOK_MS)
  return {
    settle: async () => look(),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      watcher?.close()
    },
  }
}

/** Line `oom_kill N`. Undefined: there is no such file, or no more. */
function kills(file: string | undefined): number | undefined {
  if (file === undefined) return undefined
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1]
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}
