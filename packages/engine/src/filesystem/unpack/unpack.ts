import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import { decompressSniffed, TarParser } from '@ctr/images'
import { O_PATH, readMountInfo } from '@ctr/linux'
import { openInside, parseContainerPath } from '../path.ts'
import type { Control } from '../worker/protocol.ts'
import type { Target } from './directories.ts'
import { Extractor, type Rules } from './extractor.ts'

export interface UnpackJob extends Rules {
  readonly rootPath: string
  /** Whose mounts the root's are. */
  readonly pid: number
  /** A directory in the container. */
  readonly path: string
  readonly isReadOnlyRoot: boolean
}

/** Unpacks an archive into a directory of a container that may be changing it. What was unpacked before a failure stays. */
export async function unpackInto(
  job: UnpackJob,
  control: Control,
  archive: AsyncIterable<Buffer>,
): Promise<void> {
  using target = openTarget(job)
  using extractor = new Extractor(job, target, control)
  const parser = new TarParser(extractor)
  for await (const chunk of decompressSniffed(archive)) {
    control.beat()
    parser.write(chunk)
  }
  parser.finish()
  extractor.finish()
}

/** moby daemon/archive.go ContainerExtractToDir */
function openTarget(job: UnpackJob): Target & Disposable {
  const { absolute } = parseContainerPath(job.path)
  using stack = new DisposableStack()
  const keep = (fd: number): number => {
    stack.defer(() => closeSync(fd))
    return fd
  }
  const root = keep(openSync(job.rootPath, O_PATH | constants.O_DIRECTORY))
  const fd = keep(openInside(root, absolute, O_PATH))
  if (!fstatSync(fd).isDirectory()) {
    throw new EngineError('INVALID_ARGUMENT', 'extraction point is not a directory')
  }
  refuseReadOnly(job, root, fd)
  const disposal = stack.move()
  return { root, path: posix.normalize(absolute), [Symbol.dispose]: () => disposal.dispose() }
}

function refuseReadOnly(job: UnpackJob, root: number, fd: number): void {
  const mountId = mountIdOf(fd)
  if (mountId === mountIdOf(root)) {
    if (!job.isReadOnlyRoot) return
    throw new EngineError('FORBIDDEN', 'container rootfs is marked read-only')
  }
  const mount = readMountInfo(job.pid).find(({ id }) => id === mountId)
  if (mount === undefined) return
  if (mount.options.includes('ro') || mount.superOptions.includes('ro')) {
    throw new EngineError('FORBIDDEN', 'mounted volume is marked read-only')
  }
}

/** proc_pid_fdinfo(5) */
function mountIdOf(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
  return Number(/^mnt_id:\s*([0-9]+)$/m.exec(text)?.[1])
}
