import { FILESYSTEM_MAGIC, filesystemMagic } from '@ctr/linux'
import type { Engine } from './engine.ts'

export interface EngineInfo {
  readonly containers: number
  readonly running: number
  readonly paused: number
  readonly stopped: number
  readonly images: number
  /** Controllers that are mounted, of both cgroup versions. */
  readonly controllers: readonly string[]
  /** As Docker says it: limits are by this version. */
  readonly cgroupVersion: '1' | '2'
  readonly cgroupMode: 'v1' | 'v2' | 'hybrid'
  readonly hasSwapAccounting: boolean
  readonly dataRoot: string
  /** Of the data root: `ext4`, or the magic number in hex. */
  readonly backingFilesystem: string
  readonly hasSeccomp: boolean
  readonly eventListeners: number
}

/** Facts for `info`; waits for nobody. */
export function engineInfo(engine: Engine): EngineInfo {
  const statuses = engine.containers.all().map((container) => container.state.status)
  const count = (...wanted: string[]): number =>
    statuses.filter((status) => wanted.includes(status)).length
  const { cgroups } = engine.host
  return {
    containers: statuses.length,
    running: count('running', 'restarting'),
    paused: count('paused'),
    stopped: count('created', 'exited', 'dead', 'removing'),
    images: engine.images.list().length,
    controllers: [...new Set(cgroups.hierarchies.flatMap((one) => one.controllers))],
    cgroupMode: cgroups.mode,
    hasSwapAccounting: engine.host.hasSwapAccounting,
    dataRoot: engine.config.dataRoot,
    cgroupVersion: cgroups.mode === 'v2' ? '2' : '1',
    backingFilesystem: filesystemName(engine.config.dataRoot),
    // CONFIG_SECCOMP_FILTER is on in every kernel that has cgroups in a distribution; without it starts fail by name.
    hasSeccomp: true,
    eventListeners: engine.events.listenerCount,
  }
}

function filesystemName(path: string): string {
  const magic = filesystemMagic(path)
  const known = Object.entries(FILESYSTEM_MAGIC).find(([, value]) => value === magic)
  return known?.[0] ?? `0x${magic.toString(16)}`
}
