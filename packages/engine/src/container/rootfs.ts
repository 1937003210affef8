import type { Program } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { bindRoot } from './root-directory.ts'
import { rootfsMountpoint } from './runtime-dir.ts'

/** linux/sched.h, linux/mount.h */
const CLONE_NEWNS = 0x00020000n
const MS_PRIVATE_RECURSIVE = BigInt((1 << 18) | (1 << 14))

/** A container's merged root filesystem, mounted for the engine for a while; in no mount namespace but its own. */
export interface MountedRootfs extends AsyncDisposable {
  /** As seen from here, through /proc/PID/root. Resolve paths below it with openInRoot: symlinks lead anywhere. */
  readonly path: string
}

/** The container must not be running: two overlays on one upper directory are undefined. overlayfs.rst */
export async function mountRootfs(
  engine: Pick<Engine, 'config' | 'spawner' | 'images'>,
  container: Pick<ContainerRecord, 'hostConfig' | 'layers' | 'upperDir' | 'workDir'>,
): Promise<MountedRootfs> {
  const mountpoint = rootfsMountpoint(engine)
  const program: Program = [
    { op: 'clone', flags: CLONE_NEWNS, cgroup: '' },
    { op: 'propagation', path: '/', flags: MS_PRIVATE_RECURSIVE },
    bindRoot(container.hostConfig, mountpoint) ?? {
      op: 'overlay',
      base: engine.config.dataRoot,
      target: mountpoint,
      flags: 0n,
      data: [
        `lowerdir=${mountedLayers(engine, container).join(':')}`,
        `upperdir=${relativeTo(engine.config.dataRoot, container.upperDir)}`,
        `workdir=${relativeTo(engine.config.dataRoot, container.workDir)}`,
      ].join(','),
    },
    { op: 'hold', side: 'child' },
  ]
  const task = await engine.spawner.task(program)
  return {
    path: `/proc/${task.pid}/root${mountpoint}`,
    [Symbol.asyncDispose]: () => task[Symbol.asyncDispose](),
  }
}

/** What lies below the container's own layer, top first: its image, and the mount points that this may lack. */
export function mountedLayers(
  engine: Pick<Engine, 'images'>,
  container: Pick<ContainerRecord, 'layers'>,
): string[] {
  return [...container.layers, engine.images.mountPointLayer]
}

export function relativeTo(directory: string, path: string): string {
  return path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : path
}
