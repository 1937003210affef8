import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { AuthConfig, Filters, ImageDeleted } from '@ctr/api'
import { ImageTable, type Store } from '@ctr/store'
import { type ImportOptions, importImage } from './archive/import.ts'
import { type LoadOptions, loadImages } from './archive/load.ts'
import { saveImages } from './archive/save.ts'
import { type Aside, unpackAside } from './aside.ts'
import { imageChildren } from './children.ts'
import { reconcileFiles } from './collect.ts'
import { type CommitOptions, commitImage } from './commit.ts'
import type { ImageDeps, Logger } from './deps.ts'
import { Graveyard } from './graveyard.ts'
import { type HistoryItem, imageHistory } from './history.ts'
import { graphDriverData, type Image, type ImageSummary, sizeOf, toImage } from './image.ts'
import { createContainerLayer, holdLayers, releaseLayers } from './layer/container-layer.ts'
import { readRootFile } from './layer/merged.ts'
import { MOUNT_POINTS_LAYER } from './layer/mount-points.ts'
import { packContainerLayer, unpackContainerLayer } from './layer/move-layer.ts'
import { UnsyncedLayers } from './layer/unsynced.ts'
import { type ListOptions, listImages, sharedSizes } from './list.ts'
import { findImageRow, getImageRow } from './lookup.ts'
import { makeImagePaths } from './paths.ts'
import { type DryRunOptions, pruneImages } from './prune.ts'
import { type PullOptions, pullImage } from './pull.ts'
import { pullAllTags } from './pull-all.ts'
import { type PushOptions, pushImage } from './push.ts'
import { type Distribution, inspectDistribution } from './registry/distribution.ts'
import { BlobLocks } from './registry/download.ts'
import { DEFAULT_REGISTRY_SETTINGS, type RegistrySettings } from './registry/endpoint.ts'
import { checkLogin } from './registry/login.ts'
import { type SearchResult, searchRegistry } from './registry/search.ts'
import { type RemoveOptions, removeImage } from './remove.ts'
import { tagImage } from './tag.ts'
import { WorkerPool } from './worker/pool.ts'

export interface ImagesOptions {
  dataRoot: string
  store: Store
  log: Logger
  /** Of daemon.json: insecure-registries, registry-mirrors, … */
  registries?: Partial<RegistrySettings>
}

/** The local image store. One process at a time may have it open for a data root. */
export interface Images {
  /** Newest first. */
  list(options?: ListOptions): ImageSummary[]
  /** By name (which wins), full id or unique beginning of one. Throws NOT_FOUND with Docker's text. */
  get(ref: string): Image
  /** Bytes of all layers, each once. */
  layersBytes(): number
  /** Bytes of each image's layers that another one of them has, too. */
  sharedSizes(imageIds: readonly string[]): Map<string, number>
  find(ref: string): Image | undefined
  /** As inspect shows the layers: GraphDriver.Data of overlay2. */
  graphDriverData(image: Image): Record<string, string>
  history(ref: string): HistoryItem[]
  load(tar: Readable, options: LoadOptions): Promise<{ loaded: string[] }>
  /** From a registry. Throws with Docker's texts: denied, unknown, unreachable. */
  pull(ref: string, options: PullOptions): Promise<Image>
  /** What the registry has under a name, tag by tag. */
  pullAllTags(name: string, options: PullOptions): Promise<Image[]>
  /** One tag, or without a tag all of the repository. */
  push(ref: string, options: PushOptions): Promise<void>
  /** docker save's format and an OCI layout at once. Throws for an unknown image before anything is written. */
  save(refs: readonly string[]): Readable
  /** A root filesystem's tar as an image of one layer. Returns the image's id. */
  import(tar: Readable, options: ImportOptions): Promise<string>
  /** Those that were made from an image; without one those that were made from none. Newest first. */
  children(imageId: string | undefined): Image[]
  /** Unpacks an archive into a directory below `tmp` that vanishes with its owner. Links stay within it. */
  unpackAside(tar: AsyncIterable<Buffer>, purpose: string): Promise<Aside>
  /** A container's changes, or those of an archive, as a new image. Returns its id. */
  commit(options: CommitOptions): Promise<string>
  tag(ref: string, target: string): void
  /** A name, and the image with its last one; by id the image. Throws CONFLICT with Docker's texts. */
  remove(ref: string, options: RemoveOptions): ImageDeleted[]
  prune(
    filters: Filters,
    usedBy: RemoveOptions['usedBy'],
    options?: DryRunOptions,
  ): { deleted: ImageDeleted[]; spaceReclaimed: number }
  /** Below the layers of every container: mount points that an image may not have. Relative to the data root. */
  readonly mountPointLayer: string
  /** Directories of an image's layers, top first, relative to the data root. */
  snapshotLayers(imageId: string): string[]
  /** Directories for what the container writes. `spare` becomes them if it can: see `spareLayer`. NOT_FOUND. */
  createContainerLayer(
    containerId: string,
    imageId: string,
    spare?: string,
  ): { upper: string; work: string }
  /** Within a transaction: the image's layers stay until `releaseLayers`, also if the image is removed by force. NOT_FOUND. */
  holdLayers(containerId: string, imageId: string): void
  /** Within a transaction; call what is returned after it. Idempotent. */
  releaseLayers(containerId: string): () => Promise<void>
  /** A container's writable layer as a tar file, in the format of image layers; and from such a file. */
  packContainerLayer(upperDir: string, output: string): Promise<void>
  unpackContainerLayer(archive: string, upperDir: string): Promise<void>
  /** Containers that hold a layer: what the engine does not know of them, it removes. */
  containerLayerIds(): string[]
  readRootFile(layers: readonly string[], path: string, maxBytes: number): Buffer | undefined
  /** Asks a registry whether it knows these credentials. */
  checkLogin(auth: AuthConfig, signal?: AbortSignal): Promise<void>
  /** What a registry has under a name. */
  distribution(
    name: string,
    options: { readonly auth?: AuthConfig; readonly signal?: AbortSignal },
  ): Promise<Distribution>
  search(
    term: string,
    options: { readonly limit: number; readonly auth?: AuthConfig; readonly signal?: AbortSignal },
  ): Promise<SearchResult[]>
  /** For pulls and pushes that begin from now on. */
  setRegistries(settings: RegistrySettings): void
  /** Removes what a crash left, and unpacks again what a power cut took. Call once, before anything else. */
  reconcile(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export function openImages({ dataRoot, store, log, registries }: ImagesOptions): Images {
  const paths = makeImagePaths(dataRoot)
  const base = {
    store,
    table: new ImageTable(store),
    paths,
    pool: new WorkerPool(),
    graveyard: new Graveyard(paths, log),
    log,
  }
  const deps: ImageDeps = {
    ...base,
    unsynced: new UnsyncedLayers(base),
    registries: { ...DEFAULT_REGISTRY_SETTINGS, ...registries },
    blobLocks: new BlobLocks(),
  }
  const { table } = deps
  const find = (ref: string): Image | undefined =>
    table.remember(`find ${ref}`, () => {
      const row = findImageRow(table, ref)
      return row === undefined ? undefined : toImage(deps, row)
    })
  return {
    list: (options) => listImages(deps, options),
    get: (ref) => find(ref) ?? toImage(deps, getImageRow(table, ref)),
    find,
    layersBytes: () => sizeOf(table.layers()),
    sharedSizes: (imageIds) => sharedSizes(deps, imageIds),
    graphDriverData: (image) => graphDriverData(image),
    history: (ref) => imageHistory(deps, ref),
    load: (tar, options) => loadImages(deps, tar as AsyncIterable<Buffer>, options),
    pull: (ref, options) => pullImage(deps, ref, options),
    pullAllTags: (name, options) => pullAllTags(deps, name, options),
    push: (ref, options) => pushImage(deps, ref, options),
    save: (refs) => saveImages(deps, refs),
    import: (tar, options) => importImage(deps, tar as AsyncIterable<Buffer>, options),
    children: (imageId) => imageChildren(deps, imageId),
    unpackAside: (tar, purpose) => unpackAside(deps, tar, purpose),
    commit: (options) => commitImage(deps, options),
    remove: (ref, options) => removeImage(deps, ref, options),
    prune: (filters, usedBy, options) => pruneImages(deps, filters, usedBy, options),
    tag: (ref, target) => tagImage(deps, ref, target),
    mountPointLayer: join('snapshots', String(MOUNT_POINTS_LAYER)),
    snapshotLayers: (imageId) =>
      table.remember(`layers of ${imageId}`, () =>
        table
          .layerStack(getImageRow(table, imageId).topLayer)
          .map((layer) => join('snapshots', String(layer.id))),
      ),
    createContainerLayer: (containerId, imageId, spare) =>
      createContainerLayer(deps, containerId, imageId, spare),
    holdLayers: (containerId, imageId) => holdLayers(deps, containerId, imageId),
    releaseLayers: (containerId) => releaseLayers(deps, containerId),
    packContainerLayer,
    unpackContainerLayer: (archive, upperDir) => unpackContainerLayer(deps, archive, upperDir),
    containerLayerIds: () => table.containerLayers().map((row) => row.containerId),
    readRootFile,
    checkLogin: (auth, signal) => checkLogin(deps.registries, auth, signal),
    distribution: (name, options) => inspectDistribution(deps.registries, name, options),
    search: (term, options) => searchRegistry(deps.registries, term, options),
    setRegistries: (settings) => {
      deps.registries = settings
    },
    reconcile: async () => {
      reconcileFiles(deps)
      await deps.unsynced.restore()
    },
    [Symbol.asyncDispose]: async () => {
      await deps.unsynced.settle()
      await deps.graveyard.settle()
      await deps.pool[Symbol.asyncDispose]()
    },
  }
}
