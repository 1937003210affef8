import { arch, cpus, hostname, release, totalmem } from 'node:os'
import type { Engine } from './engine.ts'

export interface EngineInfo {
  readonly id: string
  readonly name: string
  readonly containers: number
  readonly running: number
  readonly paused: number
  readonly stopped: number
  readonly images: number
  readonly cpuCount: number
  readonly memoryBytes: number
  readonly kernelVersion: string
  readonly architecture: string
  readonly cgroupMode: 'v1' | 'v2' | 'hybrid'
  readonly hasSwapAccounting: boolean
  readonly dataRoot: string
  readonly labels: readonly string[]
  readonly driver: 'overlay2'
}

/** Facts for `info`; reads nothing but memory. */
export function engineInfo(engine: Engine): EngineInfo {
  const statuses = engine.containers.all().map((container) => container.state.status)
  const count = (...wanted: string[]): number =>
    statuses.filter((status) => wanted.includes(status)).length
  return {
    id: engine.id,
    name: hostname(),
    containers: statuses.length,
    running: count('running', 'restarting'),
    paused: count('paused'),
    stopped: count('created', 'exited', 'dead', 'removing'),
    images: engine.images.list().length,
    cpuCount: cpus().length,
    memoryBytes: totalmem(),
    kernelVersion: release(),
    architecture: arch(),
    cgroupMode: engine.host.cgroups.mode,
    hasSwapAccounting: engine.host.hasSwapAccounting,
    dataRoot: engine.config.dataRoot,
    labels: engine.config.labels,
    driver: 'overlay2',
  }
}
