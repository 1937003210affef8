import { closeSync, linkSync, openSync, rmSync } from 'node:fs'
import type { AuthConfig, ProgressMessage } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import {
  chainIds,
  type Descriptor,
  familiarReference,
  type ImageConfig,
  type ImageManifest,
  MAX_FOREIGN_JSON_BYTES,
  MEDIA_TYPE,
  type Reference,
  repositoryOf,
  shortId,
  withDefaultTag,
} from '@ctr/oci'
import { MAX_LAYERS, parseImageConfig } from './config.ts'
import { isNoRoom } from './content/room.ts'
import type { ImageDeps } from './deps.ts'
import { type Image, toImage } from './image.ts'
import { adoptImage, missingLayers, type StagedLayer } from './layer/adopt.ts'
import { getImageRow, parseUserReference } from './lookup.ts'
import { choosePlatform, parseIndex, parseManifest, parsePlatform } from './manifest.ts'
import { ingestPath, Workspace } from './paths.ts'
import { type FetchedManifest, RegistryClient } from './registry/client.ts'
import { downloadBlob } from './registry/download.ts'
import { endpointsOf } from './registry/endpoint.ts'
import { translatePullError } from './registry/errors.ts'
import { setTag } from './tag.ts'
import { breakOff, newProgress } from './unpack/growing-file.ts'

export interface PullOptions {
  platform?: string
  auth?: AuthConfig
  onProgress?: (message: ProgressMessage) => void
  signal?: AbortSignal
}

const PROGRESS_INTERVAL_MS = 100

interface Resolved {
  readonly client: RegistryClient
  /** Of what the reference names: an index's, where there is one. */
  readonly digest: string
  readonly manifest: ImageManifest
}

/** Fetches an image. Layers that are here are not fetched; what a broken pull has fetched is used. Errors have Docker's texts. */
export async function pullImage(
  deps: ImageDeps,
  ref: string,
  options: PullOptions,
): Promise<Image> {
  const reference = withDefaultTag(parseUserReference(ref))
  const progress = options.onProgress ?? (() => {})
  // Before a registry is asked.
  if (options.platform !== undefined && options.platform !== '') parsePlatform(options.platform)
  try {
    const resolved = await resolve(deps, reference, options)
    progress({
      status: `Pulling from ${reference.path}`,
      id: reference.digest ?? reference.tag ?? '',
    })
    const { config, parsed } = await fetchConfig(resolved)
    const isNew = deps.table.image(resolved.manifest.config.digest) === undefined
    const before = tagOwner(deps, reference)
    const id = await fetchAndAdopt(deps, resolved, { config, parsed, reference, options })
    progress({ status: `Digest: ${resolved.digest}` })
    const isUpToDate = !isNew && (reference.digest !== undefined || before === id)
    progress({
      status: `Status: ${isUpToDate ? 'Image is up to date' : 'Downloaded newer image'} for ${familiarReference(reference)}`,
    })
    return toImage(deps, getImageRow(deps.table, id))
  } catch (error) {
    throw translatePullError(error, reference)
  }
}

/** Asks mirrors first; what goes wrong with one of them only means to go on. */
async function resolve(
  deps: ImageDeps,
  reference: Reference,
  { auth, platform, signal }: PullOptions,
): Promise<Resolved> {
  const registries = endpointsOf(reference.domain, deps.registries, 'pull')
  for (const [index, endpoints] of registries.entries()) {
    try {
      const client = await RegistryClient.connect({
        endpoints,
        path: reference.path,
        actions: 'pull',
        auth,
        signal,
      })
      return await resolveManifest(client, reference, platform)
    } catch (error) {
      if (index === registries.length - 1) throw error
      deps.log.warn({ error, mirror: endpoints[0]?.base }, 'mirror does not have the image')
    }
  }
  throw new EngineError('INTERNAL', 'no registry to ask')
}

async function resolveManifest(
  client: RegistryClient,
  reference: Reference,
  platform: string | undefined,
): Promise<Resolved> {
  const fetched = await client.manifest(reference.digest ?? reference.tag ?? 'latest')
  verify(fetched, reference.digest)
  if (!isIndex(fetched)) return { client, digest: fetched.digest, manifest: readManifest(fetched) }
  const chosen = choosePlatform(parseIndex(fetched.data), platform)
  const image = await client.manifest(chosen.digest)
  verify(image, chosen.digest)
  return { client, digest: fetched.digest, manifest: readManifest(image) }
}

function verify({ digest }: FetchedManifest, expected: string | undefined): void {
  if (expected === undefined || digest === expected) return
  throw new EngineError('UPSTREAM', `manifest verification failed for digest ${expected}`)
}

function isIndex({ data, mediaType }: FetchedManifest): boolean {
  if (mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerIndex) return true
  // A registry that sends a vague content type: the document tells.
  return (
    mediaType !== MEDIA_TYPE.ociManifest &&
    mediaType !== MEDIA_TYPE.dockerManifest &&
    data.includes('"manifests"')
  )
}

function readManifest({ data, mediaType }: FetchedManifest): ImageManifest {
  if (/manifest\.v1\+(?:json|prettyjws)$/.test(mediaType) && !mediaType.includes('oci')) {
    throw new EngineError(
      'UPSTREAM',
      `unsupported manifest media type ${mediaType}: Docker image format v1 is too old`,
    )
  }
  const manifest = parseManifest(data)
  if (manifest.layers.length > MAX_LAYERS) throw new EngineError('UPSTREAM', 'max depth exceeded')
  const { mediaType: configType } = manifest.config
  const isImage = ['', MEDIA_TYPE.ociConfig, MEDIA_TYPE.dockerConfig].includes(configType)
  if (!isImage) throw new EngineError('UPSTREAM', `unsupported media type ${configType}`)
  return manifest
}

async function fetchConfig({
  client,
  manifest,
}: Resolved): Promise<{ config: Buffer; parsed: ImageConfig }> {
  const config = await client.document(manifest.config.digest, MAX_FOREIGN_JSON_BYTES)
  const parsed = parseImageConfig(config)
  if (parsed.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new EngineError('UPSTREAM', 'the layers of the manifest and of the config do not match')
  }
  return { config, parsed }
}

interface PullTarget {
  readonly config: Buffer
  readonly parsed: ImageConfig
  readonly reference: Reference
  readonly options: PullOptions
}

async function fetchAndAdopt(
  deps: ImageDeps,
  resolved: Resolved,
  target: PullTarget,
): Promise<string> {
  const { config, parsed, reference } = target
  await using workspace = new Workspace(deps.paths, 'pull')
  const also = (imageId: string): void => {
    if (reference.tag !== undefined && reference.digest === undefined)
      setTag(deps, imageId, reference)
    deps.table.putDigest(repositoryOf(reference), resolved.digest, imageId)
  }
  const staged = new Map<string, StagedLayer>()
  for (;;) {
    await fetchLayers(deps, workspace, resolved, target, staged)
    const layers = [...staged.values()]
    const adopted = await adoptImage(deps, { config, parsed, parent: undefined, also }, staged)
    if (adopted === undefined) continue
    for (const { layer } of layers)
      rmSync(ingestPath(deps.paths, layer.blobDigest), { force: true })
    return adopted.id
  }
}

/** Downloads and unpacks what is missing, several layers at a time. */
async function fetchLayers(
  deps: ImageDeps,
  workspace: Workspace,
  { client, manifest }: Resolved,
  { parsed, options }: PullTarget,
  staged: Map<string, StagedLayer>,
): Promise<void> {
  const progress = options.onProgress ?? (() => {})
  const chain = chainIds(parsed.rootfs.diff_ids)
  const missing = new Set(missingLayers(deps.table, parsed))
  const wanted = manifest.layers.flatMap((descriptor, index) => {
    const chainId = chain[index] ?? ''
    const isHere = !missing.has(chainId) || staged.has(chainId)
    progress({
      status: isHere ? 'Already exists' : 'Pulling fs layer',
      progressDetail: {},
      id: shortId(descriptor.digest),
    })
    return isHere ? [] : [{ descriptor, chainId, diffId: parsed.rootfs.diff_ids[index] ?? '' }]
  })
  const failed = new AbortController()
  const signal = AbortSignal.any([
    failed.signal,
    ...(options.signal === undefined ? [] : [options.signal]),
  ])
  const queue = [...wanted]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { descriptor, chainId, diffId } = next
      signal.throwIfAborted()
      const layer = await deps.blobLocks.run(descriptor.digest, () =>
        fetchLayer(deps, workspace, client, { descriptor, diffId, progress, signal }),
      )
      staged.set(chainId, layer)
    }
  }
  const workers = Array.from({ length: deps.registries.maxDownloads }, () =>
    work().catch((error: unknown) => {
      failed.abort(error)
      throw error
    }),
  )
  await Promise.allSettled(workers)
  failed.signal.throwIfAborted()
}

async function fetchLayer(
  deps: ImageDeps,
  workspace: Workspace,
  client: RegistryClient,
  o: {
    descriptor: Descriptor
    diffId: string
    progress: (message: ProgressMessage) => void
    signal: AbortSignal
  },
): Promise<StagedLayer> {
  const { descriptor, progress } = o
  const id = shortId(descriptor.digest)
  const growing = newProgress()
  const directory = workspace.newDirectory('s')
  const blob = openIngest(deps, workspace, descriptor.digest)
  const job = { path: blob, progress: growing, target: directory, whiteouts: 'overlay' } as const
  const unpacking = deps.pool.unpack(job)
  const failed = new AbortController()
  unpacking.catch((error: unknown) => failed.abort(error))
  const download = downloadBlob({
    client,
    descriptor,
    path: blob,
    progress: growing,
    onBytes: throttle((current) => {
      progress({ status: 'Downloading', progressDetail: { current, total: descriptor.size }, id })
    }),
    maxAttempts: deps.registries.maxAttempts,
    signal: AbortSignal.any([o.signal, failed.signal]),
  })
  // What cannot be unpacked is not worth keeping, nor is what fills the disk.
  const drop = (): void => rmSync(ingestPath(deps.paths, descriptor.digest), { force: true })
  await download.catch(async (error: unknown) => {
    const isOfUnpacking = failed.signal.aborted
    if (isOfUnpacking || isNoRoom(error)) drop()
    breakOff(growing)
    await unpacking.catch(() => {})
    throw isOfUnpacking ? failed.signal.reason : error
  })
  progress({ status: 'Verifying Checksum', progressDetail: {}, id })
  progress({ status: 'Download complete', progressDetail: {}, id })
  progress({
    status: 'Extracting',
    progressDetail: { current: descriptor.size, total: descriptor.size },
    id,
  })
  const unpacked = await unpacking.catch((error: unknown) => {
    drop()
    throw error
  })
  const diffId = unpacked.diffId ?? descriptor.digest
  if (diffId !== o.diffId) {
    drop()
    throw new EngineError(
      'UPSTREAM',
      `layer ${descriptor.digest} does not match its diff ID ${o.diffId}`,
    )
  }
  progress({ status: 'Pull complete', progressDetail: {}, id })
  const layer = { ...unpacked, blobDigest: descriptor.digest, blobSize: descriptor.size, diffId }
  return { layer, directory, blob }
}

/** A second name of the ingest file, which is ours until we are done, whatever another pull does with the first one. */
function openIngest(deps: ImageDeps, workspace: Workspace, digest: string): string {
  const ingest = ingestPath(deps.paths, digest)
  closeSync(openSync(ingest, 'a', 0o600))
  const path = workspace.newPath('f')
  linkSync(ingest, path)
  return path
}

function tagOwner({ table }: ImageDeps, reference: Reference): string | undefined {
  if (reference.tag === undefined) return undefined
  return table.tag(repositoryOf(reference), reference.tag)?.imageId
}

function throttle(report: (bytes: number) => void): (bytes: number) => void {
  let last = Number.NEGATIVE_INFINITY
  return (bytes) => {
    const now = performance.now()
    if (now - last < PROGRESS_INTERVAL_MS) return
    last = now
    report(bytes)
  }
}
