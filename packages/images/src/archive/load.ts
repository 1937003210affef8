import type { ProgressMessage } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { chainIds, familiarReference, type ImageConfig, shortId, withDefaultTag } from '@ctr/oci'
import { parseImageConfig } from '../config.ts'
import { isCompressionError } from '../content/compression.ts'
import type { ImageDeps } from '../deps.ts'
import { adoptImage, missingLayers, type StagedLayer, type UnpackedLayer } from '../layer/adopt.ts'
import { syncFiles } from '../layer/unsynced.ts'
import { Workspace } from '../paths.ts'
import { setTag } from '../tag.ts'
import { TarError } from '../tar/format.ts'
import { completeProgress } from '../unpack/growing-file.ts'
import type { UnpackedTar } from '../unpack/job.ts'
import { readDockerManifest } from './docker-manifest.ts'
import type { ArchivedImage } from './document.ts'
import { readOciIndex } from './oci-layout.ts'
import { parentsFirst } from './parents-first.ts'
import { ArchiveSpool, type SpooledFile, type Unpacking } from './spool.ts'

export interface LoadOptions {
  quiet?: boolean
  /** Docker's messages, `Loaded image: …` among them. */
  onProgress?: (message: ProgressMessage) => void
}

interface LoadContext {
  readonly deps: ImageDeps
  readonly workspace: Workspace
  readonly spool: ArchiveSpool
  readonly options: LoadOptions
  /** Checked layers that the store lacks, by chain id. */
  readonly staged: Map<string, StagedLayer>
}

type CheckedImage = ArchivedImage & { readonly parsed: ImageConfig }

/**
 * Loads every image of an archive (docker save of any age, or an OCI layout). An archive that turns out broken leaves
 * nothing: all of it is read and checked before the first image becomes visible.
 */
export async function loadImages(
  deps: ImageDeps,
  source: AsyncIterable<Buffer>,
  options: LoadOptions,
): Promise<{ loaded: string[] }> {
  deps.pool.warm()
  await using workspace = new Workspace(deps.paths, 'load')
  const spool = new ArchiveSpool(workspace, deps)
  const context = { deps, workspace, spool, options, staged: new Map() }
  let early: Promise<void> | undefined
  try {
    await spool.read(source)
    // Unpacking goes on: meanwhile the disk can take what has been received.
    early = syncFiles(spool.layerPaths)
    early.catch(() => {}) // awaited below
    const images = parentsFirst(readManifests(spool)).map((image) => ({
      ...image,
      parsed: parseImageConfig(image.config),
    }))
    for (const image of images) await stageLayers(context, image)
    await early // the kernel tells of a failed write once only
    const loaded: string[] = []
    for (const image of images) loaded.push(...(await loadOne(context, image)))
    return { loaded }
  } catch (error) {
    if (!(error instanceof TarError || isCompressionError(error))) throw error
    throw new EngineError('INVALID_ARGUMENT', `invalid archive: ${error.message}`, { cause: error })
  } finally {
    await Promise.allSettled([early, spool.settle()])
  }
}

function readManifests(spool: ArchiveSpool): ArchivedImage[] {
  if (spool.file('manifest.json') !== undefined) return readDockerManifest(spool)
  if (spool.file('index.json') !== undefined) return readOciIndex(spool)
  throw new EngineError(
    'INVALID_ARGUMENT',
    'invalid archive: neither manifest.json nor index.json is in it (a root filesystem is for import)',
  )
}

async function loadOne(context: LoadContext, image: CheckedImage): Promise<string[]> {
  const { deps, options, staged } = context
  const progress = options.onProgress ?? (() => {})
  const moved: string[] = []
  const also = (imageId: string): void => {
    for (const name of image.names) moved.push(...setTag(deps, imageId, name))
  }
  let adopted = await adoptImage(deps, { ...image, also }, staged)
  while (adopted === undefined) {
    await stageLayers(context, image)
    adopted = await adoptImage(deps, { ...image, also }, staged)
  }
  if (options.quiet !== true) for (const layer of adopted.layers) progress(layerMessage(layer))
  for (const line of moved) progress({ stream: `${line}\n` })
  const names = image.names.map((name) => familiarReference(withDefaultTag(name)))
  for (const name of names) progress({ stream: `Loaded image: ${name}\n` })
  if (names.length === 0) progress({ stream: `Loaded image ID: ${adopted.id}\n` })
  return names.length === 0 ? [adopted.id] : names
}

/** Checks every layer of an image, also those that the store has already, and stages the ones it has not. */
async function stageLayers(context: LoadContext, image: CheckedImage): Promise<void> {
  const { deps, spool, staged } = context
  const diffIds = image.parsed.rootfs.diff_ids
  if (image.layers.length !== diffIds.length) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${image.layers.length}`,
    )
  }
  const chain = chainIds(diffIds)
  const missing = new Set(missingLayers(deps.table, image.parsed))
  for (const [index, { name, digest }] of image.layers.entries()) {
    const file = spool.file(name)
    if (file === undefined) throw new EngineError('INVALID_ARGUMENT', `invalid archive: no ${name}`)
    const unpacked = await toLayer(file, (file.unpacking ??= startUnpacking(context, file)).tar)
    const expected = diffIds[index] ?? ''
    if (unpacked.diffId !== expected) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `invalid diffID for layer ${index}: expected "${expected}", got "${unpacked.diffId}"`,
      )
    }
    if (digest !== undefined && digest !== unpacked.blobDigest) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `invalid archive: ${name} does not match its digest`,
      )
    }
    const chainId = chain[index] ?? ''
    if (missing.has(chainId) && !staged.has(chainId)) staged.set(chainId, await take(context, file))
  }
}

/** The directory that the layer was unpacked into while it arrived; one more if another chain has taken that. */
async function take(context: LoadContext, file: SpooledFile): Promise<StagedLayer> {
  const first = file.unpacking
  if (first?.directory !== undefined && !first.isTaken) {
    first.isTaken = true
    return {
      layer: await toLayer(file, first.tar),
      directory: first.directory,
      blob: file.path,
    }
  }
  const { tar, directory } = startUnpacking(context, file)
  return { layer: await toLayer(file, tar), directory, blob: file.path }
}

function startUnpacking(
  { deps, workspace }: LoadContext,
  { path, size }: SpooledFile,
): Unpacking & { directory: string } {
  const directory = workspace.newDirectory('s')
  const progress = completeProgress(size)
  const tar = deps.pool.unpack({ path, progress, target: directory, whiteouts: 'overlay' })
  return { directory, tar, isTaken: false }
}

async function toLayer(file: SpooledFile, tar: Promise<UnpackedTar>): Promise<UnpackedLayer> {
  const unpacked = await tar
  const diffId = unpacked.diffId ?? file.digest
  return { ...unpacked, diffId, blobDigest: file.digest, blobSize: file.size }
}

function layerMessage({ layer }: StagedLayer): ProgressMessage {
  return {
    status: 'Loading layer',
    id: shortId(layer.diffId),
    progressDetail: { current: layer.blobSize, total: layer.blobSize },
  }
}
