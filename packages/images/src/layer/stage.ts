import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { ImageDeps } from '../deps.ts'
import type { Workspace } from '../paths.ts'
import { breakOff, complete, newProgress, type Progress, report } from '../unpack/growing-file.ts'
import type { StagedLayer } from './adopt.ts'

/** Receives one layer's archive and unpacks it while it arrives. */
export async function stageStream(
  deps: ImageDeps,
  workspace: Workspace,
  source: AsyncIterable<Buffer>,
): Promise<StagedLayer> {
  const blob = workspace.newPath('f')
  closeSync(openSync(blob, 'wx', 0o600))
  const directory = workspace.newDirectory('s')
  const progress = newProgress()
  const unpacking = deps.pool.unpack({
    path: blob,
    progress,
    target: directory,
    whiteouts: 'overlay',
  })
  const failed = new AbortController()
  unpacking.catch((error: unknown) => failed.abort(error))
  const received = await receive(source, blob, progress, failed.signal).catch(
    async (error: unknown) => {
      await unpacking.catch(() => {})
      throw error
    },
  )
  const unpacked = await unpacking
  return {
    layer: {
      ...unpacked,
      blobDigest: received.digest,
      blobSize: received.size,
      diffId: unpacked.diffId ?? received.digest,
    },
    directory,
    blob,
  }
}

/** Archives `upperDir` of an overlay and unpacks that archive at the same time. Undefined if nothing is in it. */
export async function stageDirectory(
  deps: ImageDeps,
  workspace: Workspace,
  source: { upperDir: string; sameRootAs: string | undefined },
): Promise<StagedLayer | undefined> {
  const blob = workspace.newPath('f')
  closeSync(openSync(blob, 'wx', 0o600))
  const directory = workspace.newDirectory('s')
  const progress = newProgress()
  const unpacking = deps.pool.unpack({
    path: blob,
    progress,
    target: directory,
    whiteouts: 'overlay',
  })
  unpacking.catch(() => {})
  const packed = await deps.pool
    .pack({
      root: source.upperDir,
      sameRootAs: source.sameRootAs,
      whiteouts: 'overlay',
      output: blob,
      progress,
    })
    .catch(async (error: unknown) => {
      breakOff(progress)
      await unpacking.catch(() => {})
      throw error
    })
  const unpacked = await unpacking
  if (packed.members === 0) return undefined
  const layer = {
    ...unpacked,
    blobDigest: packed.digest,
    blobSize: packed.size,
    diffId: packed.digest,
  }
  return { layer, directory, blob }
}

async function receive(
  source: AsyncIterable<Buffer>,
  path: string,
  progress: Progress,
  failed: AbortSignal,
): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  await using file = await open(path, 'r+')
  try {
    for await (const chunk of source) {
      failed.throwIfAborted()
      hash.update(chunk)
      await writeAll(file, chunk, size)
      size += chunk.length
      report(progress, size)
    }
    complete(progress)
    return { digest: `sha256:${hash.digest('hex')}`, size }
  } catch (error) {
    breakOff(progress)
    throw error
  }
}

async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, position + done)
    done += bytesWritten
  }
}
