import { posix } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { type MountFact, readMountInfo } from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import { INIT_PATH } from '../plan/init.ts'

/** Filesystems that criu makes again by itself, contents and all. */
const RESTORABLE = new Set(['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue'])
const BY_TYPE_ALONE = new Set(['proc', 'sysfs', 'mqueue'])
const BIND_OPTIONS = new Set(['bind', 'rbind'])

export interface ExternalMountFacts {
  /** /proc/PID/mountinfo of the container and of ourselves. */
  readonly container: readonly MountFact[]
  readonly host: readonly MountFact[]
  readonly spec: RuntimeSpec
  /** Mountpoints whose contents are the engine's (secrets): never in the images. */
  readonly own: readonly string[]
}

export function readExternalMounts(
  pid: number,
  spec: RuntimeSpec,
  own: readonly string[] = [],
): string[] {
  return externalMounts({
    container: readMountInfo(pid),
    host: readMountInfo(),
    spec,
    own,
  })
}

/**
 * Mounts that criu must leave out of its images, since a start of the container makes them: what comes from the host,
 * cgroups and images. Parents come before children. CONFLICT for a mount that was made inside the
 * container and is none of those that criu can make.
 */
export function externalMounts(facts: ExternalMountFacts): string[] {
  const { spec } = facts
  const hostDevices = new Set(facts.host.map(({ device }) => device))
  const binds = (spec.mounts ?? []).filter(
    ({ type, options }) => type === 'bind' || options?.some((word) => BIND_OPTIONS.has(word)),
  )
  const bound = binds.map(({ destination }) => posix.resolve('/', destination))
  const ownDevices = new Set(
    facts.container.filter((one) => facts.own.includes(one.mountpoint)).map((one) => one.device),
  )
  const isExternal = ({ mountpoint, type, device, root }: MountFact): boolean => {
    if (mountpoint === '/') return false
    if (!RESTORABLE.has(type) || bound.includes(mountpoint) || ownDevices.has(device)) return true
    if (!hostDevices.has(device)) return false
    const isInside = bound.some((path) => isBelow(mountpoint, path))
    return isInside || (!BY_TYPE_ALONE.has(type) && root !== '')
  }
  const external = facts.container.filter(isExternal)
  const known = [
    ...(spec.mounts ?? []).map(({ destination }) => posix.resolve('/', destination)),
    ...(spec.linux?.maskedPaths ?? []),
    INIT_PATH,
  ]
  const foreign = external.find(
    ({ mountpoint: path, device }) =>
      !ownDevices.has(device) && !known.some((place) => path === place || isBelow(path, place)),
  )
  if (foreign === undefined) return [...new Set(external.map(({ mountpoint }) => mountpoint))]
  throw new EngineError(
    'CONFLICT',
    `${foreign.mountpoint} was mounted inside the container: unmount it first`,
  )
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory === '/' ? '/' : `${directory}/`)
}
