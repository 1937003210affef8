import type { HostConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import type { RuntimeIdMapping } from '@ctr/oci'
import type { IdMaps } from '@ctr/shim'
import { remapRange } from './subordinate-ids.ts'

/** What a container gets: no user namespace, one with these maps, or one with so many ids that are its own. */
export type UserNamespacePlan =
  | { readonly kind: 'none' }
  | { readonly kind: 'maps'; readonly maps: IdMaps }
  | { readonly kind: 'own'; readonly count: number }

const NONE: UserNamespacePlan = { kind: 'none' }
/** As many as user_namespaces(7) leaves to 16-bit programs. */
const DEFAULT_COUNT = 65_536
const MAX_COUNT = 1 << 24
const MAX_ID = 0xffff_fffe

/**
 * From HostConfig.UsernsMode, UidMap and GidMap, and userns-remap of the daemon; `shared` is that of the container whose
 * other namespaces are shared. INVALID_ARGUMENT.
 */
export function planUserNamespace(
  hostConfig: HostConfig,
  remap: string,
  host: Pick<HostFacts, 'kernel'>,
  shared?: UserNamespacePlan,
): UserNamespacePlan {
  const plan = shared ?? planMode(hostConfig, remap)
  if (plan.kind === 'none') return plan
  const { major, minor } = host.kernel
  if (major < 5 || (major === 5 && minor < 19)) {
    throw invalid(
      `user namespaces need Linux 5.19 (overlay on ID-mapped layers), this is ${major}.${minor}: use --userns host`,
    )
  }
  assertNothingShared(hostConfig, shared !== undefined)
  return plan
}

function planMode(hostConfig: HostConfig, remap: string): UserNamespacePlan {
  const { UsernsMode: mode = '', UidMap: uids = [], GidMap: gids = [] } = hostConfig
  const hasMaps = uids.length > 0 || gids.length > 0
  if (mode === 'map' || (mode === '' && hasMaps)) return explicitMaps(uids, gids)
  if (hasMaps) throw invalid(`uid and gid maps cannot be used with user namespace mode ${mode}`)
  if (mode === 'host') return NONE
  if (mode === '') return remap === '' ? NONE : remapped(remap)
  if (mode === 'keep-id') {
    const all = [{ containerID: 0, hostID: 0, size: MAX_ID + 1 }]
    return { kind: 'maps', maps: { uids: all, gids: all } }
  }
  const match = /^auto(?::size=(\d{1,9}))?$/.exec(mode)
  if (match === null) throw invalid(`invalid user namespace mode: ${mode}`)
  const count = match[1] === undefined ? DEFAULT_COUNT : Number(match[1])
  if (count < 1 || count > MAX_COUNT) throw invalid(`invalid user namespace size: ${count}`)
  return { kind: 'own', count }
}

function remapped(remap: string): UserNamespacePlan {
  const { uids, gids } = remapRange(remap)
  return {
    kind: 'maps',
    maps: { uids: [{ containerID: 0, ...uids }], gids: [{ containerID: 0, ...gids }] },
  }
}

/** Without gids of their own they are as the uids. */
function explicitMaps(uids: readonly string[], gids: readonly string[]): UserNamespacePlan {
  const [some, other] = uids.length > 0 ? [uids, gids] : [gids, uids]
  if (some.length === 0) throw invalid('user namespace mode map needs a uid map (--uidmap)')
  const first = parseMap(some, uids.length > 0 ? 'uid' : 'gid')
  const second = other.length > 0 ? parseMap(other, 'gid') : first
  return { kind: 'maps', maps: { uids: first, gids: second } }
}

/** `inside:outside[:count]`. user_namespaces(7) */
function parseMap(lines: readonly string[], what: string): RuntimeIdMapping[] {
  const mappings = lines.map((line) => {
    const match = /^(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?$/.exec(line)
    const [containerID, hostID, size] = (match ?? []).slice(1).map((text) => Number(text ?? 1))
    if (containerID === undefined || hostID === undefined || size === undefined || size < 1) {
      throw invalid(`invalid ${what} map ${JSON.stringify(line)}: must be inside:outside[:count]`)
    }
    if (containerID + size - 1 > MAX_ID || hostID + size - 1 > MAX_ID) {
      throw invalid(`invalid ${what} map ${JSON.stringify(line)}: ids end at ${MAX_ID}`)
    }
    return { containerID, hostID, size }
  })
  for (const side of ['containerID', 'hostID'] as const) {
    const sorted = mappings.toSorted((a, b) => a[side] - b[side])
    sorted.forEach((mapping, index) => {
      const next = sorted[index + 1]
      if (next !== undefined && mapping[side] + mapping.size > next[side]) {
        throw invalid(`invalid ${what} map: ranges overlap at ${next[side]}`)
      }
    })
  }
  if (!mappings.some(({ containerID }) => containerID === 0)) {
    throw invalid(
      `invalid ${what} map: root (0) is not mapped, and without it nothing can be set up`,
    )
  }
  return mappings
}

/** moby daemon/daemon_unix.go verifyPlatformContainerSettings; namespaces have an owner, and it is not this container. */
function assertNothingShared(hostConfig: HostConfig, hasOwner: boolean): void {
  if (hostConfig.Privileged === true) {
    throw invalid(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    )
  }
  const shared = [
    ['network', hostConfig.NetworkMode],
    ['PID', hostConfig.PidMode],
    ['IPC', hostConfig.IpcMode],
    ['UTS', hostConfig.UTSMode],
  ] as const
  for (const [what, mode = ''] of shared) {
    if (mode === 'host') {
      const text =
        what === 'network'
          ? "cannot share the host's network namespace"
          : `cannot share the host ${what} namespace`
      throw invalid(`${text} when user namespaces are enabled`)
    }
    if ((mode.startsWith('container:') && !hasOwner) || mode.startsWith('ns:')) {
      throw invalid(
        `cannot join another ${what} namespace with a user namespace of its own: leave out --userns for that of the other container, or say --userns host`,
      )
    }
  }
}
