import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { AuthConfig, ProgressMessage } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import {
  digestOf,
  familiarName,
  familiarReference,
  MEDIA_TYPE,
  type Reference,
  repositoryOf,
  shortId,
} from '@ctr/oci'
import { type BlobRow, type ImageNameRow, type ImageRow, transaction } from '@ctr/store'
import { gzipFile } from './content/gzip.ts'
import type { ImageDeps } from './deps.ts'
import { parseUserReference } from './lookup.ts'
import { blobPath, Workspace } from './paths.ts'
import { RegistryClient } from './registry/client.ts'
import { endpointsOf } from './registry/endpoint.ts'
import { translatePushError } from './registry/errors.ts'

export interface PushOptions {
  auth?: AuthConfig
  onProgress?: (message: ProgressMessage) => void
  signal?: AbortSignal
}

interface PushBlob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly path: string
}

/** Pushes one tag, or without a tag all tags of the repository. Layers that the registry has are not sent. */
export async function pushImage(deps: ImageDeps, ref: string, options: PushOptions): Promise<void> {
  const reference = parseUserReference(ref)
  const progress = options.onProgress ?? (() => {})
  // In dockerd's order: a client has seen the first line when it is told that there is nothing to push.
  progress({ status: `The push refers to repository [${repositoryOf(reference)}]` })
  const names = namesOf(deps, reference)
  try {
    const [endpoints = []] = endpointsOf(reference.domain, deps.registries, 'push')
    const client = await RegistryClient.connect({
      endpoints,
      path: reference.path,
      actions: 'pull,push',
      auth: options.auth,
      signal: options.signal,
    })
    for (const { tag, row } of tagsToPush(deps, reference, names)) {
      await pushTag(deps, client, { reference, tag, row, progress })
    }
  } catch (error) {
    throw translatePushError(error)
  }
}

/** The tags of the repository. NOT_FOUND if it has none. */
function namesOf({ table }: ImageDeps, reference: Reference): ImageNameRow[] {
  const repository = repositoryOf(reference)
  const names = table.tags().filter((name) => name.repository === repository)
  if (names.length > 0) return names
  throw new EngineError(
    'NOT_FOUND',
    `An image does not exist locally with the tag: ${familiarName(reference)}`,
  )
}

function tagsToPush(
  { table }: ImageDeps,
  reference: Reference,
  names: readonly ImageNameRow[],
): { tag: string; row: ImageRow }[] {
  if (reference.digest !== undefined) {
    throw new EngineError('INVALID_ARGUMENT', 'cannot push a digest reference')
  }
  const wanted = names.filter(({ value }) => (reference.tag ?? value) === value)
  if (wanted.length === 0) {
    throw new EngineError('NOT_FOUND', `tag does not exist: ${familiarReference(reference)}`)
  }
  return wanted.flatMap(({ value, imageId }) => {
    const row = table.image(imageId)
    return row === undefined ? [] : [{ tag: value, row }]
  })
}

async function pushTag(
  deps: ImageDeps,
  client: RegistryClient,
  o: {
    reference: Reference
    tag: string
    row: ImageRow
    progress: (message: ProgressMessage) => void
  },
): Promise<void> {
  const { row, tag, progress } = o
  await using workspace = new Workspace(deps.paths, 'push')
  const stack = deps.table.layerStack(row.topLayer).reverse()
  for (const layer of stack)
    progress({ status: 'Preparing', progressDetail: {}, id: shortId(layer.diffId) })
  const layers = await inParallel(stack, deps.registries.maxUploads, async (layer) => {
    const stored = deps.table.blob(layer.blob)
    if (stored === undefined) throw new EngineError('INTERNAL', `blob ${layer.blob} is missing`)
    const blob = await toPushBlob(deps, workspace, stored)
    await pushLayer(client, blob, { id: shortId(layer.diffId), progress })
    return blob
  })
  if (!(await client.hasBlob(row.id))) await putConfig(client, workspace, row)
  const manifest = toManifest(row, layers)
  await client.putManifest(tag, manifest.data, manifest.mediaType)
  const digest = digestOf(manifest.data)
  transaction(deps.store, () => deps.table.putDigest(repositoryOf(o.reference), digest, row.id))
  progress({ status: `${tag}: digest: ${digest} size: ${manifest.data.length}` })
  progress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: manifest.data.length } })
}

async function pushLayer(
  client: RegistryClient,
  blob: PushBlob,
  { id, progress }: { id: string; progress: (message: ProgressMessage) => void },
): Promise<void> {
  if (await client.hasBlob(blob.digest)) {
    progress({ status: 'Layer already exists', progressDetail: {}, id })
    return
  }
  progress({ status: 'Pushing', progressDetail: { current: 0, total: blob.size }, id })
  await client.putBlob(blob.digest, blob.size, () => createReadStream(blob.path))
  progress({ status: 'Pushed', progressDetail: {}, id })
}

/** Results in the order of the items; after a failure no further one is begun, and those under way are waited for. */
async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<T, R>()
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      results.set(
        item,
        await work(item).catch((error: unknown) => {
          queue.length = 0
          throw error
        }),
      )
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: limit }, worker))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return items.map((item) => results.get(item) as R)
}

async function putConfig(
  client: RegistryClient,
  workspace: Workspace,
  row: ImageRow,
): Promise<void> {
  const path = workspace.newPath('config')
  await pipeline([row.config], createWriteStream(path, { flags: 'wx' }))
  await client.putBlob(row.id, row.config.length, () => createReadStream(path))
}

/** An uncompressed layer travels compressed, as Docker does it; the same bytes every time, so that a registry knows them. */
async function toPushBlob(deps: ImageDeps, workspace: Workspace, blob: BlobRow): Promise<PushBlob> {
  const path = blobPath(deps.paths, blob.digest)
  if (blob.compression === 'gzip') {
    return { mediaType: MEDIA_TYPE.dockerLayerGzip, digest: blob.digest, size: blob.size, path }
  }
  if (blob.compression === 'zstd') {
    return { mediaType: MEDIA_TYPE.ociLayerZstd, digest: blob.digest, size: blob.size, path }
  }
  if (blob.compression !== 'none') {
    throw new EngineError(
      'NOT_IMPLEMENTED',
      `layers compressed with ${blob.compression} cannot be pushed`,
    )
  }
  const compressed = workspace.newPath('gz')
  const hash = createHash('sha256')
  let size = 0
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  await pipeline(gzipFile(path), measure, createWriteStream(compressed, { flags: 'wx' }))
  const digest = `sha256:${hash.digest('hex')}`
  return { mediaType: MEDIA_TYPE.dockerLayerGzip, digest, size, path: compressed }
}

/** Docker's schema 2, which everyone reads; OCI where a layer needs it. */
function toManifest(
  row: ImageRow,
  layers: readonly PushBlob[],
): { data: Buffer; mediaType: string } {
  const isOci = layers.some((layer) => layer.mediaType === MEDIA_TYPE.ociLayerZstd)
  const mediaType = isOci ? MEDIA_TYPE.ociManifest : MEDIA_TYPE.dockerManifest
  const layerType = (type: string): string =>
    isOci && type === MEDIA_TYPE.dockerLayerGzip ? MEDIA_TYPE.ociLayerGzip : type
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: isOci ? MEDIA_TYPE.ociConfig : MEDIA_TYPE.dockerConfig,
      size: row.config.length,
      digest: row.id,
    },
    layers: layers.map(({ mediaType: type, size, digest }) => ({
      mediaType: layerType(type),
      size,
      digest,
    })),
  }
  return { data: Buffer.from(JSON.stringify(manifest, null, 3)), mediaType }
}
