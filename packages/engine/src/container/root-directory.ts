import { statSync } from 'node:fs'
import { chmod, chown, mkdir } from 'node:fs/promises'
import { posix } from 'node:path'
import type { HostConfig } from '@ctr/api'
import { invalid, isErrno } from '@ctr/errdefs'
import type { Op } from '@ctr/shim'

/** HostConfig.Rootfs: a directory of the host instead of an image. */
export interface RootDirectory {
  readonly path: string
  /** `:O`: a layer below the container's own; what the container writes stays out of it. */
  readonly isLayer: boolean
}

export function rootDirectoryOf(hostConfig: HostConfig): RootDirectory | undefined {
  const text = hostConfig.Rootfs ?? ''
  if (text === '') return undefined
  const isLayer = text.endsWith(':O')
  return { path: posix.resolve('/', isLayer ? text.slice(0, -2) : text), isLayer }
}

/** What the container writes goes there, without a layer of its own. */
export function writtenDirectory(hostConfig: HostConfig): string | undefined {
  const root = rootDirectoryOf(hostConfig)
  return root === undefined || root.isLayer ? undefined : root.path
}

/** INVALID_ARGUMENT unless it is a directory that can be mounted. */
export function validateRootDirectory(hostConfig: HostConfig): void {
  const text = hostConfig.Rootfs ?? ''
  const root = rootDirectoryOf(hostConfig)
  if (root === undefined) return
  if (!text.startsWith('/') || text.includes('\0')) {
    throw invalid(`invalid rootfs: ${JSON.stringify(text)} must be an absolute path`)
  }
  if (root.path === '/' && !root.isLayer) throw invalid("invalid rootfs: '/' needs :O")
  // Separators of overlay's lowerdir. overlayfs.rst
  if (root.isLayer && /[:,\\]/.test(root.path)) {
    throw invalid(`invalid rootfs: ${JSON.stringify(root.path)}: no ':', ',' or '\\' with :O`)
  }
  try {
    if (statSync(root.path).isDirectory()) return
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
  }
  throw invalid(`invalid rootfs: ${root.path} is not a directory`)
}

/** The container's own directory, in place of what images make. */
export async function makeRootDirectory(directory: string, root: RootDirectory): Promise<void> {
  const { mode, uid, gid } = statSync(root.path)
  await mkdir(directory, { recursive: true, mode: 0o710 })
  if (!root.isLayer) return
  const upper = posix.join(directory, 'upper')
  for (const path of [upper, posix.join(directory, 'work')]) await mkdir(path)
  // The root of an overlay has the attributes of its upper directory.
  await chmod(upper, mode & 0o7777)
  await chown(upper, uid, gid)
}

/** Mounts it at `target` as it is; undefined for a container with layers. */
export function bindRoot(hostConfig: HostConfig, target: string): Op | undefined {
  const source = writtenDirectory(hostConfig)
  return source === undefined ? undefined : { op: 'bind_root', source, target }
}
