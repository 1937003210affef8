import { posix } from 'node:path'
import { invalid } from '@ctr/errdefs'
import type { HostFacts } from '@ctr/linux'
import { DEFAULT_DEVICE_LINKS, DEFAULT_DEVICES, type RuntimeDevice } from '@ctr/oci'
import type { Op } from '../ops.ts'
import { S_IF } from './constants.ts'
import type { RootfsInput } from './rootfs-input.ts'

/** Nodes and links of /dev; none if the spec binds a /dev of the host. */
export function planDevices({ spec, hasUserNamespace }: RootfsInput, host: HostFacts): Op[] {
  const isHostDev = (spec.mounts ?? []).some(
    (mount) => posix.resolve('/', mount.destination) === '/dev' && mount.type === 'bind',
  )
  if (isHostDev) return []
  const own = spec.linux?.devices ?? []
  const isOwn = (path: string): boolean => own.some((device) => device.path === path)
  const node = hasUserNamespace ? bindNode : makeNode
  return [
    ...DEFAULT_DEVICES.filter((device) => !isOwn(device.path)).map(node),
    // The container's terminals come from its own devpts.
    ...own.filter((device) => device.path !== '/dev/ptmx').map(node),
    ...DEFAULT_DEVICE_LINKS.filter(
      ([path]) => (path !== '/dev/core' || host.hasKcore) && (path === '/dev/ptmx' || !isOwn(path)),
    ).map(([path, target]): Op => ({ op: 'symlink', target, path })),
  ]
}

const NODE_TYPES = { c: S_IF.S_IFCHR, u: S_IF.S_IFCHR, b: S_IF.S_IFBLK, p: S_IF.S_IFIFO }

function makeNode(device: RuntimeDevice): Op {
  const type = Object.hasOwn(NODE_TYPES, device.type) ? NODE_TYPES[device.type] : undefined
  if (type === undefined) throw invalid(`device ${device.path}: unknown type ${device.type}`)
  return {
    op: 'mknod',
    path: device.path,
    type,
    mode: device.fileMode ?? 0o666,
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  }
}

/** In a user namespace mknod(2) is not allowed. */
function bindNode({ path }: RuntimeDevice): Op {
  const changes = { flags: 0, attr: 0n, clear: 0n, propagation: 0n }
  return { op: 'bind', source: path, target: path, ...changes }
}
