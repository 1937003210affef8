import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { RuntimeIdMapping, RuntimeSpec } from '@ctr/oci'
import { invalidArgument } from './errors.ts'
import { findShim } from './shim-path.ts'

type Linux = NonNullable<RuntimeSpec['linux']>

/** Who joins a user namespace gets its maps into the spec: owners of files and pipes are found with them. */
export function withJoinedMaps(linux: Linux): Linux {
  const path = linux.namespaces?.find(({ type }) => type === 'user')?.path
  if (path === undefined || path === '') return linux
  const [uidMappings, gidMappings] = readMaps(path)
  const isSame = (asked: readonly RuntimeIdMapping[] | undefined, has: object): boolean =>
    asked === undefined || asked.length === 0 || text(asked) === text(has as RuntimeIdMapping[])
  if (!isSame(linux.uidMappings, uidMappings) || !isSame(linux.gidMappings, gidMappings)) {
    throw invalidArgument(
      `user namespace mappings do not match those of the user namespace at ${path}`,
    )
  }
  return { ...linux, uidMappings, gidMappings }
}

function readMaps(path: string): [RuntimeIdMapping[], RuntimeIdMapping[]] {
  try {
    const [, pid] = /^\/proc\/(\d+)\/ns\/user$/.exec(path) ?? []
    if (pid !== undefined) {
      const read = (name: string): RuntimeIdMapping[] =>
        parseIdMap(readFileSync(`/proc/${pid}/${name}`, 'utf8'))
      return [read('uid_map'), read('gid_map')]
    }
    // Only a process in it has them.
    const output = execFileSync(findShim(), ['maps', path], { encoding: 'utf8', stdio: 'pipe' })
    const [uids = '', gids = ''] = output.split('\n\n')
    return [parseIdMap(uids), parseIdMap(gids)]
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)
    throw invalidArgument(`user namespace ${path}: ${reason}`)
  }
}

/** /proc/PID/uid_map: lines `inside outside count`. user_namespaces(7) */
function parseIdMap(lines: string): RuntimeIdMapping[] {
  return [...lines.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)$/gm)].map(([, inside, outside, count]) => ({
    containerID: Number(inside),
    hostID: Number(outside),
    size: Number(count),
  }))
}

function text(maps: readonly RuntimeIdMapping[]): string {
  return maps.map((one) => `${one.containerID} ${one.hostID} ${one.size}`).join()
}
