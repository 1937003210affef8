import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { BlobWriter } from '../content/blob-writer.ts'
import { giverOf } from '../content/give-back.ts'
import type { ImageDeps } from '../deps.ts'
import { packDirectory } from '../pack/pack-directory.ts'
import type { Workspace } from '../paths.ts'
import { breakOff, newProgress, type Progress } from '../unpack/growing-file.ts'
import type { StagedLayer } from './adopt.ts'
import { syncFiles } from './unsynced.ts'

/** Receives one layer's archive and unpacks it while it arrives. */
export async function stageStream(
  deps: ImageDeps,
  workspace: Workspace,
  source: AsyncIterable<Buffer>,
): Promise<StagedLayer> {
  const arrived = await unpackArriving(deps, workspace, source, 'overlay')
  const { blob, directory, received } = arrived
  const unpacked = await whileSyncing(blob, arrived.unpacking)
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

/** Receives an archive, also a compressed one, which is unpacked meanwhile. Returns when it is there as a whole; `unpacking` may take longer. */
export async function unpackArriving(
  deps: Pick<ImageDeps, 'pool'>,
  workspace: Workspace,
  source: AsyncIterable<Buffer>,
  whiteouts: 'overlay' | 'literal',
): Promise<{
  readonly blob: string
  readonly directory: string
  readonly received: Awaited<ReturnType<typeof receive>>
  readonly unpacking: ReturnType<ImageDeps['pool']['unpack']>
}> {
  const blob = workspace.newPath('f')
  closeSync(openSync(blob, 'wx', 0o600))
  const directory = workspace.newDirectory('s')
  const progress = newProgress()
  const unpacking = deps.pool.unpack({ path: blob, progress, target: directory, whiteouts })
  const failed = new AbortController()
  unpacking.catch((error: unknown) => failed.abort(error))
  const received = await receive(source, blob, progress, failed.signal).catch(
    async (error: unknown) => {
      await unpacking.catch(() => {})
      throw error
    },
  )
  return { blob, directory, received, unpacking }
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
    isDigestWanted: true,
  })
  unpacking.catch(() => {})
  const packed = await packDirectory({
    root: source.upperDir,
    sameRootAs: source.sameRootAs,
    output: blob,
    progress,
  }).catch(async (error: unknown) => {
    breakOff(progress)
    await unpacking.catch(() => {})
    throw error
  })
  const unpacked = await whileSyncing(blob, unpacking)
  if (packed.members === 0) return undefined
  const diffId = unpacked.diffId ?? ''
  const layer = { ...unpacked, blobDigest: diffId, blobSize: packed.size, diffId }
  return { layer, directory, blob }
}

/** The disk takes the blob, which is complete, while the rest of it is still being unpacked. */
async function whileSyncing<T>(blob: string, unpacking: Promise<T>): Promise<T> {
  // Both are waited for: the kernel tells of a failed write once only, and the workspace must not go under the unpacking.
  const [synced, unpacked] = await Promise.allSettled([syncFiles([blob]), unpacking])
  if (unpacked.status === 'rejected') throw unpacked.reason
  if (synced.status === 'rejected') throw synced.reason
  return unpacked.value
}

/** Bytes that are collected before they are written, and that may wait while others are being written. */
const BATCH_BYTES = 1 << 20

/** Writes what arrives into an empty file, for those who follow its progress. */
async function receive(
  source: AsyncIterable<Buffer>,
  path: string,
  progress: Progress,
  failed: AbortSignal,
): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256')
  const giveBack = giverOf(source)
  let batch: Buffer[] = []
  let batchedBytes = 0
  let writing: Promise<void> = Promise.resolve()
  const writer = new BlobWriter(openSync(path, 'r+'), progress)
  const flush = async (chunks: readonly Buffer[]): Promise<void> => {
    await writer.write(chunks)
    for (const chunk of chunks) giveBack(chunk)
  }
  try {
    for await (const chunk of source) {
      failed.throwIfAborted()
      hash.update(chunk)
      batch.push(chunk)
      batchedBytes += chunk.length
      if (batchedBytes < BATCH_BYTES) continue
      await writing
      writing = flush(batch)
      // Awaited with the next batch, or below; until then its failure must not count as unhandled.
      writing.catch(() => {})
      batch = []
      batchedBytes = 0
    }
    await writing
    await flush(batch)
    await writer.complete()
    return { digest: `sha256:${hash.digest('hex')}`, size: writer.size }
  } catch (error) {
    await writing.catch(() => {})
    breakOff(progress)
    await writer.close()
    throw error
  }
}
