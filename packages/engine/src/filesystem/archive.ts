import type { Readable } from 'node:stream'
import type { PathStat } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { ContainerRecord } from '../container/container.ts'
import { containerEvent } from '../container/container-event.ts'
import { resolveContainerUser } from '../container/resolve-user.ts'
import type { Engine } from '../engine.ts'
import { archiveStream } from './archive-stream.ts'
import { openView } from './view.ts'
import { FilesystemError, type Job } from './worker/pool.ts'

/** What is at `path`; a symlink itself. NOT_FOUND. */
export async function statPath(engine: Engine, reference: string, path: string): Promise<PathStat> {
  await using view = await openView(engine, reference, 'mounted', 'copy from')
  const { rootPath } = view
  await using job = engine.filesystem.threads.start({ kind: 'stat', rootPath, path })
  const reply = await next(job, reference, path)
  if (reply.type !== 'stat') throw new EngineError('INTERNAL', `no stat of ${path}`)
  return reply.stat
}

/** A tar of what is at `path`, with the last element of the path as its name. Destroy the stream to stop. */
export async function readArchive(
  engine: Engine,
  reference: string,
  path: string,
): Promise<{ stat: PathStat; stream: Readable }> {
  const view = await openView(engine, reference, 'mounted', 'copy from')
  const { rootPath, container } = view
  const { stat, stream } = await archiveStream(engine, view, {
    rootPath,
    path,
    isContentOnly: false,
    idMaps: view.idMaps,
  }).catch((error: unknown) => {
    throw translate(error, reference, path)
  })
  engine.events.emit(containerEvent(container, 'archive-path'))
  return { stat, stream }
}

export interface ExtractOptions {
  /** Refuse to replace a directory by something else, and the other way round. */
  readonly noOverwriteDirNonDir: boolean
  /** Everything belongs to the container's user, if it has one, whatever the archive says. */
  readonly copyUidGid: boolean
}

/** Chunks on their way to the thread. */
const WINDOW = 8
const CHUNK_BYTES = 256 * 1024

/** Unpacks a tar (also compressed) into the directory `path`. FORBIDDEN on read-only filesystems. */
export async function extractArchive(
  engine: Engine,
  reference: string,
  path: string,
  archive: Readable,
  options: ExtractOptions,
): Promise<void> {
  await using view = await openView(engine, reference, 'mounted', 'copy to')
  const { container, rootPath, pid } = view
  const owner = options.copyUidGid ? ownerOf(engine, container) : undefined
  await using job = engine.filesystem.threads.start({
    kind: 'unpack',
    rootPath,
    pid,
    path,
    isReadOnlyRoot: container.hostConfig.ReadonlyRootfs === true,
    noOverwriteDirNonDir: options.noOverwriteDirNonDir,
    idMaps: view.idMaps,
    ...(owner === undefined ? {} : { owner }),
  })
  for await (const chunk of inChunks(archive as AsyncIterable<Buffer>)) {
    job.give(chunk)
    while (job.given >= WINDOW) await next(job, reference, path)
  }
  job.endInput()
  for (;;) {
    const reply = await next(job, reference, path)
    if (reply.type === 'done') break
  }
  engine.events.emit(containerEvent(container, 'extract-to-dir'))
}

/** Clients write headers and small files one by one; each chunk costs both threads as much as many bytes. Each is a buffer of its own. */
async function* inChunks(source: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  let buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  let filled = 0
  for await (const data of source) {
    for (let offset = 0; offset < data.length; ) {
      const length = data.copy(buffer, filled, offset)
      filled += length
      offset += length
      if (filled < CHUNK_BYTES) continue
      yield buffer
      buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
      filled = 0
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled)
}

function ownerOf(
  engine: Engine,
  container: ContainerRecord,
): { uid: number; gid: number } | undefined {
  const user = container.config.User ?? ''
  if (user === '') return undefined
  const { uid, gid } = resolveContainerUser(engine, container, user)
  return { uid, gid }
}

async function next(job: Job, reference: string, path: string): ReturnType<Job['next']> {
  try {
    return await job.next()
  } catch (error) {
    throw translate(error, reference, path)
  }
}

function translate(error: unknown, reference: string, path: string): unknown {
  if (!(error instanceof FilesystemError)) return error
  switch (error.errno) {
    case 'ENOENT':
      return new EngineError(
        'NOT_FOUND',
        `Could not find the file ${path} in container ${reference}`,
        { cause: error },
      )
    case 'ENOTDIR':
      return new EngineError('INVALID_ARGUMENT', `lstat ${path}: not a directory`, { cause: error })
    case 'ELOOP':
      return new EngineError('INVALID_ARGUMENT', `${path}: too many levels of symbolic links`, {
        cause: error,
      })
    case 'ENAMETOOLONG':
      return new EngineError('INVALID_ARGUMENT', `${path}: file name too long`, { cause: error })
    default:
      return error
  }
}
