import { posix } from 'node:path'
import type { Op } from '../ops.ts'
import type { RootFilesystem } from './input.ts'
import type { RootfsInput } from './rootfs-input.ts'
import { attach, containerIdMaps } from './trees.ts'

/** The root filesystem at `mountpoint`, where all later paths begin. */
export function planRoot(rootfs: RootFilesystem, mountpoint: string, input: RootfsInput): Op[] {
  const root: Op = { op: 'root', path: mountpoint }
  const maps = rootfs.isIdMapped === true ? containerIdMaps(input.spec) : undefined
  if (rootfs.kind === 'directory') {
    if (maps !== undefined) return [attach(input.trees.add(rootfs.path, true, maps, true))]
    return [{ op: 'bind_root', source: rootfs.path, target: mountpoint }, root]
  }
  const { base, lower, upper, work, isVolatile } = rootfs
  const label = input.spec.linux?.mountLabel ?? ''
  const [only] = lower
  if (upper === '' && lower.length === 1 && only !== undefined) {
    // overlay wants at least two layers.
    if (maps !== undefined)
      return [attach(input.trees.add(posix.resolve(base, only), true, maps, true))]
    return [{ op: 'bind_root', source: posix.resolve(base, only), target: mountpoint }, root]
  }
  const layers = [
    `lowerdir=${lower.map((path) => escapeOverlay(path).replaceAll(':', '\\:')).join(':')}`,
    ...(upper === '' ? [] : [`upperdir=${escapeOverlay(upper)}`, `workdir=${escapeOverlay(work)}`]),
    // The upper directory is a layer on its own (commit, diff): it may not refer to lower ones. overlayfs.rst
    'index=off',
    'redirect_dir=nofollow',
    'metacopy=off',
    ...(isVolatile === true && upper !== '' ? ['volatile'] : []),
  ].join(',')
  const data = withContext(layers, label)
  if (maps !== undefined) {
    const mapped = new Set([
      ...lower.map(topDirectory),
      ...(upper === '' ? [] : [posix.dirname(upper)]),
    ])
    return [attach(input.trees.addOverlay({ base, mapped: [...mapped], data }, maps))]
  }
  return [{ op: 'overlay', base, target: mountpoint, flags: 0n, data }, root]
}

/** All layers of a store are mapped as one. */
function topDirectory(path: string): string {
  return path.startsWith('/') ? path : (path.split('/')[0] ?? path)
}

function escapeOverlay(path: string): string {
  return path.replace(/[\\,]/g, '\\$&')
}

/** SELinux: the label of everything on the mount; empty: none. mount(8) context= */
export function withContext(data: string, label: string): string {
  if (label === '') return data
  return `${data === '' ? '' : `${data},`}context=${JSON.stringify(label)}`
}
