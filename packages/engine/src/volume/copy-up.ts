import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, lstatSync, type Stats } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '@ctr/linux'
import type { ContainerRecord, MountPoint } from '../container/container.ts'
import { rootDirectoryOf } from '../container/root-directory.ts'
import { mountedLayers, mountRootfs } from '../container/rootfs.ts'
import type { Engine } from '../engine.ts'
import { copyTree, isEmptyDirectory } from './copy-tree.ts'

type Deps = Pick<Engine, 'config' | 'spawner' | 'containers' | 'volumes' | 'images'>

/**
 * Fills the empty volumes of a new container with what its image has at their mount points, as Docker does at creation.
 * INVALID_ARGUMENT when an image has a file there. Each volume is filled beside its place first: after a crash it is
 * either as it was or complete.
 */
export async function copyUp(
  engine: Deps,
  container: Pick<ContainerRecord, 'hostConfig' | 'layers' | 'upperDir' | 'workDir' | 'mounts'>,
): Promise<void> {
  const empty: MountPoint[] = []
  const layers = layersToLookIn(engine, container)
  for (const mount of container.mounts) {
    if (mount.type !== 'volume' || !mount.copyUp) continue
    // Not a directory of ours: see deviceVolume in container/spec.ts.
    if (engine.volumes.find(mount.name ?? '')?.options['device'] !== undefined) continue
    if (layers?.every((layer) => isAbsent(layer, mount.destination))) continue
    if (await isEmptyDirectory(mount.source)) empty.push(mount)
  }
  if (empty.length === 0) return
  await using rootfs = await mountRootfs(engine, container)
  for (const mount of empty) await copyUpOne(engine, rootfs.path, mount)
}

/** A mount takes milliseconds, and most volumes are where an image has nothing. Undefined: its root is no layers. */
function layersToLookIn(
  engine: Deps,
  container: Pick<ContainerRecord, 'hostConfig' | 'layers'>,
): string[] | undefined {
  if (rootDirectoryOf(container.hostConfig) !== undefined) return undefined
  return mountedLayers(engine, container).map((layer) => resolve(engine.config.dataRoot, layer))
}

/** Surely nothing is at `path`, nor anything that may lead there: a symlink may, in this layer or another. */
function isAbsent(layer: string, path: string): boolean {
  let at = layer
  for (const name of path.split('/')) {
    if (name === '') continue
    at = `${at}/${name}`
    let found: Stats | undefined
    try {
      found = lstatSync(at, { throwIfNoEntry: false })
    } catch {
      return false
    }
    if (found === undefined) return true
    if (!found.isDirectory()) return false
  }
  return false
}

async function copyUpOne(engine: Deps, rootfs: string, mount: MountPoint): Promise<void> {
  const fd = openDirectory(rootfs, mount.destination)
  if (fd === undefined) return
  const staging = join(engine.config.dataRoot, 'tmp', `copy-up-${randomUUID()}`)
  try {
    await mkdir(staging, { mode: 0o755 })
    await copyTree(`/proc/self/fd/${fd}`, staging)
    const isUsed = engine.containers.volumeUsers(mount.name ?? '').length > 0
    if (isUsed) await moveEntries(staging, mount.source)
    else await rename(staging, mount.source)
  } finally {
    closeSync(fd)
    await rm(staging, { recursive: true, force: true })
  }
}

/** Undefined: the image has nothing at this path. */
function openDirectory(rootfs: string, path: string): number | undefined {
  let fd: number
  try {
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    fd = openat2(rootfs, path, { flags: O_PATH, resolve })
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
  if (fstatSync(fd).isDirectory()) return fd
  closeSync(fd)
  throw new EngineError(
    'INVALID_ARGUMENT',
    `cannot mount volume over existing file, file exists ${path}`,
  )
}

/** A container may have `target` mounted and keeps that inode, so it cannot be replaced as a whole. */
async function moveEntries(staging: string, target: string): Promise<void> {
  for (const name of await readdir(staging)) await rename(join(staging, name), join(target, name))
}
