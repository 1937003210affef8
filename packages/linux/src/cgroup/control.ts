import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '@ctr/errdefs'
import { kill } from '../syscalls.ts'
import {
  type CgroupHierarchy,
  type CgroupLayout,
  cgroupDirectory,
  findHierarchy,
} from './layout.ts'
import type { CgroupWrite } from './limits.ts'

/** Acting on a cgroup that exists: freeze, thaw, list, kill, change limits, remove. */

const FREEZE_TIMEOUT_MS = 10_000

/**
 * Stops every process of the cgroup; resolves when the kernel says that all have stopped. On failure (a process in an
 * uninterruptible wait, or `signal`) the cgroup is thawed again.
 */
export async function freezeCgroup(
  layout: CgroupLayout,
  path: string,
  o: { signal?: AbortSignal } = {},
): Promise<void> {
  const freezer = freezerOf(layout, path)
  freezer.write(true)
  try {
    const deadline = AbortSignal.timeout(FREEZE_TIMEOUT_MS)
    const signal = o.signal === undefined ? deadline : AbortSignal.any([o.signal, deadline])
    // Almost always frozen at once; no event exists for it on v1.
    for (let waitMs = 1; !freezer.isFrozen(); waitMs = Math.min(waitMs * 2, 50)) {
      await delay(waitMs, undefined, { signal })
      // v1: processes forked meanwhile may stay FREEZING until it is written again. cgroup-v1/freezer-subsystem.rst
      freezer.write(true)
    }
  } catch (cause) {
    freezer.write(false)
    throw new Error(`cgroup ${path} did not freeze`, { cause })
  }
}

/** One that is gone is not frozen: on v2 SIGKILL ends frozen processes, so a cgroup may go while it is being thawed. */
export function thawCgroup(layout: CgroupLayout, path: string): void {
  try {
    freezerOf(layout, path).write(false)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error
  }
}

export function isCgroupFrozen(layout: CgroupLayout, path: string): boolean {
  return freezerOf(layout, path).isFrozen()
}

function freezerOf(
  layout: CgroupLayout,
  path: string,
): { write(isFrozen: boolean): void; isFrozen(): boolean } {
  const v1 = findHierarchy(layout, 'freezer')
  if (v1?.version === 1) {
    const file = `${cgroupDirectory(v1, path)}/freezer.state`
    return {
      write: (isFrozen) => writeFileSync(file, isFrozen ? 'FROZEN' : 'THAWED'),
      isFrozen: () => readFileSync(file, 'utf8').trim() === 'FROZEN',
    }
  }
  const v2 = layout.hierarchies.find((hierarchy) => hierarchy.version === 2)
  if (v2 === undefined) throw new Error('this host has no freezer cgroup')
  const directory = cgroupDirectory(v2, path)
  return {
    write: (isFrozen) => writeFileSync(`${directory}/cgroup.freeze`, isFrozen ? '1' : '0'),
    isFrozen: () => /^frozen 1$/m.test(readFileSync(`${directory}/cgroup.events`, 'utf8')),
  }
}

/** Pids of all processes in the cgroup and below it; empty if it is gone. */
export function cgroupPids(layout: CgroupLayout, path: string): number[] {
  const hierarchy = processHierarchy(layout)
  if (hierarchy === undefined) return []
  return [...new Set(pidsBelow(cgroupDirectory(hierarchy, path)))]
}

/** The hierarchy whose membership counts: pids, else any. */
function processHierarchy(layout: CgroupLayout): CgroupHierarchy | undefined {
  return findHierarchy(layout, 'pids') ?? findHierarchy(layout, 'devices') ?? layout.hierarchies[0]
}

function pidsBelow(directory: string): number[] {
  try {
    const own = readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)
    return [...own.map(Number), ...childGroups(directory).flatMap(pidsBelow)]
  } catch (error) {
    // EOPNOTSUPP: a threaded cgroup, whose processes are listed above it.
    if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return []
    throw error
  }
}

function childGroups(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${directory}/${entry.name}`)
}

const SIGKILL = 9
const KILL_TIMEOUT_MS = 10_000

/** SIGKILL to everything in the cgroup, until it is empty. A frozen v1 cgroup is thawed, or nothing would die. */
export async function killCgroup(layout: CgroupLayout, path: string): Promise<void> {
  if (posix.resolve('/', path) === '/') throw new RangeError('the root cgroup is not ours to kill')
  const v2 = layout.hierarchies.find((hierarchy) => hierarchy.version === 2)
  const isPureV2 = layout.mode === 'v2' && v2 !== undefined
  const deadline = AbortSignal.timeout(KILL_TIMEOUT_MS)
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    const pids = cgroupPids(layout, path)
    if (pids.length === 0) return
    if (!isPureV2 || !tryWrite(`${cgroupDirectory(v2, path)}/cgroup.kill`, '1')) {
      for (const pid of pids) tryKill(pid)
    }
    const freezer = findHierarchy(layout, 'freezer')
    if (freezer?.version === 1) {
      tryWrite(`${cgroupDirectory(freezer, path)}/freezer.state`, 'THAWED')
    }
    await delay(waitMs, undefined, { signal: deadline })
  }
}

function tryKill(pid: number): void {
  try {
    kill(pid, SIGKILL)
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

function tryWrite(file: string, value: string): boolean {
  try {
    writeFileSync(file, value)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false
    throw error
  }
}

const REMOVE_ATTEMPTS = 20

/** Removes the cgroup from every hierarchy, children first. One that is gone is fine; EBUSY if processes stay in it. */
export async function removeCgroup(layout: CgroupLayout, path: string): Promise<void> {
  if (posix.resolve('/', path) === '/')
    throw new RangeError('the root cgroup is not ours to remove')
  for (const hierarchy of layout.hierarchies) {
    const directory = cgroupDirectory(hierarchy, path)
    for (let attempt = 1; ; attempt++) {
      try {
        removeTree(directory)
        break
      } catch (error) {
        // A killed process stays in its cgroup until it is reaped.
        if (!isErrno(error, 'EBUSY') || attempt === REMOVE_ATTEMPTS) throw error
        await delay(Math.min(2 ** attempt, 100))
      }
    }
  }
}

function removeTree(directory: string): void {
  try {
    for (const child of childGroups(directory)) removeTree(child)
    rmdirSync(directory)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error
  }
}

/** Names of the cgroups directly below `path`, in any hierarchy: what a reconcile looks through. */
export function childCgroups(layout: CgroupLayout, path: string): string[] {
  const names = layout.hierarchies.flatMap((hierarchy) => {
    try {
      return readdirSync(cgroupDirectory(hierarchy, path), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENODEV')) return []
      throw error
    }
  })
  return [...new Set(names)].sort()
}

/**
 * Changes the limits of a live cgroup. Pairs that must keep an order between them (memory below memory+swap; period and
 * quota) are tried again after the rest, so it does not matter which of the two has to move first. Throws the first
 * error that stays; what was written stays written.
 */
export function applyLimits(
  layout: CgroupLayout,
  path: string,
  writes: readonly CgroupWrite[],
): void {
  const failed = writes.filter((write) => attempt(layout, path, write) !== undefined)
  for (const write of failed) {
    const error = attempt(layout, path, write)
    if (error !== undefined && write.optional !== true) throw error
  }
}

function attempt(layout: CgroupLayout, path: string, write: CgroupWrite): Error | undefined {
  const hierarchy =
    findHierarchy(layout, write.controller) ?? layout.hierarchies.find((one) => one.version === 2)
  if (hierarchy === undefined) return new Error(`no cgroup controller ${write.controller}`)
  try {
    writeFileSync(`${cgroupDirectory(hierarchy, path)}/${write.file}`, write.value)
    return undefined
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}
