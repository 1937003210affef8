import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { ancestors } from './ancestors.ts'
import { type CgroupLayout, findHierarchy } from './layout.ts'

const DEFAULT_PERIOD_US = 1_000_000

/**
 * Makes room for the real-time share of a new cgroup in `parent`, which is ours and exists: the kernel gives a new cgroup
 * none, and refuses a child more than its parent has. What a parent was given, it keeps. Nothing is done where there is
 * no cgroup v1 controller with real-time groups. INVALID_ARGUMENT if the host has no more to give.
 * scheduler/sched-rt-group.rst
 */
export function grantRealtime(
  layout: CgroupLayout,
  parent: string,
  wanted: { readonly runtimeUs: number; readonly periodUs: number | undefined },
): void {
  const cpu = findHierarchy(layout, 'cpu')
  if (cpu?.version !== 1 || wanted.runtimeUs <= 0) return
  // The mount point is the host's own share.
  const directories = ancestors(cpu.mountpoint, parent).slice(1)
  if (directories.some((directory) => shareOf(directory) === undefined)) return
  raise(directories, wanted.runtimeUs / (wanted.periodUs ?? DEFAULT_PERIOD_US))
}

function raise(directories: readonly string[], more: number): void {
  const directory = directories.at(-1)
  if (directory === undefined) return
  const share = shareOf(directory) ?? 0
  const missing = childrenShare(directory) + more - share
  if (missing <= 0) return
  raise(directories.slice(0, -1), missing)
  const runtimeUs = Math.ceil((share + missing) * periodOf(directory))
  try {
    writeFileSync(`${directory}/cpu.rt_runtime_us`, String(runtimeUs))
  } catch (cause) {
    if (!isErrno(cause, 'EINVAL')) throw cause
    throw new EngineError(
      'INVALID_ARGUMENT',
      `cpu real-time runtime: the host has no ${runtimeUs} µs in ${periodOf(directory)} µs left for ${directory}`,
      { cause },
    )
  }
}

function childrenShare(directory: string): number {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .reduce((sum, { name }) => sum + (shareOf(`${directory}/${name}`) ?? 0), 0)
}

/** Of one processor, 0–1; undefined without real-time groups, or when the cgroup has gone. */
function shareOf(directory: string): number | undefined {
  const runtimeUs = readNumber(`${directory}/cpu.rt_runtime_us`)
  return runtimeUs === undefined ? undefined : Math.max(0, runtimeUs) / periodOf(directory)
}

function periodOf(directory: string): number {
  return readNumber(`${directory}/cpu.rt_period_us`) ?? DEFAULT_PERIOD_US
}

function readNumber(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return undefined
    throw error
  }
}
