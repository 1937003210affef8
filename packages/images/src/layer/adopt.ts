import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { chainIds, digestOf, type ImageConfig } from '@ctr/oci'
import { type ImageTable, type Store, transaction } from '@ctr/store'
import { parseTimeNs, timeNow } from '../image.ts'
import { blobPath, type ImagePaths, snapshotPath } from '../paths.ts'
import { copyAttributes } from './implied.ts'
import { syncFiles, type UnsyncedLayers } from './unsynced.ts'

/** What is known of a layer when its blob has been read to the end. */
export interface UnpackedLayer {
  readonly blobDigest: string
  readonly blobSize: number
  readonly compression: string
  readonly diffId: string
  readonly size: number
  /** See UnpackResult. */
  readonly impliedDirectories: readonly string[]
}

/** A layer unpacked into a workspace; its directory and its blob move into the store. */
export interface StagedLayer {
  readonly layer: UnpackedLayer
  readonly directory: string
  readonly blob: string
}

export interface NewImage {
  readonly config: Buffer
  readonly parsed: ImageConfig
  readonly parent: string | undefined
  /** Runs inside the transaction, with the image's row in place: names. */
  readonly also: (imageId: string) => void
}

export interface AdoptDeps {
  readonly store: Store
  readonly table: ImageTable
  readonly paths: ImagePaths
  readonly unsynced: UnsyncedLayers
}

/** Chain ids of an image's layers that are not in the store, bottom first. */
export function missingLayers(table: ImageTable, config: ImageConfig): string[] {
  return chainIds(config.rootfs.diff_ids).filter(
    (chainId) => table.layerByChain(chainId) === undefined,
  )
}

/**
 * Makes an image and its layers part of the store: everything or nothing. `staged` holds unpacked
 * layers by chain id; those that move into the store are taken out of it. Blobs are on the disk before the transaction, files of
 * layers soon after it (UnsyncedLayers); what is renamed here and then lost by a crash has no row and is removed by
 * reconcile. Returns undefined when a layer that was in the store has been removed meanwhile: stage it too.
 */
export async function adoptImage(
  deps: AdoptDeps,
  image: NewImage,
  staged: Map<string, StagedLayer>,
): Promise<{ id: string; layers: StagedLayer[] } | undefined> {
  const { table, paths } = deps
  const diffIds = image.parsed.rootfs.diff_ids
  const chain = chainIds(diffIds)
  copyImpliedDirectories(deps, chain, staged)
  await syncFiles(new Set([...staged.values()].map(({ blob }) => blob)))
  // From here on nothing awaits, so nobody can remove a layer in between.
  if (missingLayers(table, image.parsed).some((chainId) => !staged.has(chainId))) return undefined
  const id = digestOf(image.config)
  const moved = chain.flatMap((chainId, index) => {
    const layer = staged.get(chainId)
    return layer === undefined || table.layerByChain(chainId) !== undefined
      ? []
      : [{ chainId, index, layer }]
  })
  const firstId = nextLayerId(deps)
  try {
    for (const [offset, { layer }] of moved.entries()) moveIn(paths, layer, firstId + offset)
    if (moved.length > 0) {
      syncNames(paths.snapshots)
      syncNames(paths.blobs)
    }
    insertRows()
  } catch (error) {
    for (const [offset, { layer }] of moved.entries()) moveOut(deps, layer, firstId + offset)
    throw error
  }
  if (moved.length > 0) deps.unsynced.sync()
  for (const { chainId } of moved) staged.delete(chainId)
  return { id, layers: moved.map(({ layer }) => layer) }

  function insertRows(): void {
    transaction(deps.store, () => {
      for (const [offset, { chainId, index, layer }] of moved.entries()) {
        putLayer(table, layer.layer, {
          id: firstId + offset,
          chainId,
          below: index === 0 ? undefined : chain[index - 1],
        })
        deps.unsynced.add(firstId + offset)
      }
      const top = chain.at(-1)
      const parent = image.parent === undefined ? undefined : table.image(image.parent)
      table.putImage({
        id,
        config: image.config,
        createdAtNs: parseTimeNs(image.parsed.created),
        taggedAtNs: timeNow().ns,
        topLayer: top === undefined ? null : (table.layerByChain(top)?.id ?? null),
        parent: parent === undefined || parent.id === id ? null : parent.id,
      })
      image.also(id)
    })
  }
}

function putLayer(
  table: ImageTable,
  layer: UnpackedLayer,
  place: { id: number; chainId: string; below: string | undefined },
): void {
  const parent = place.below === undefined ? undefined : table.layerByChain(place.below)
  table.putBlob({
    digest: layer.blobDigest,
    size: layer.blobSize,
    compression: layer.compression,
    diffId: layer.diffId,
  })
  table.putLayer({
    id: place.id,
    chainId: place.chainId,
    parentId: parent?.id ?? null,
    diffId: layer.diffId,
    size: layer.size,
    blob: layer.blobDigest,
  })
}

function moveIn(paths: ImagePaths, layer: StagedLayer, id: number): void {
  renameSync(layer.directory, snapshotPath(paths, id))
  const blob = blobPath(paths, layer.layer.blobDigest)
  // A link, not a rename: two layers of one image may share their blob.
  if (!existsSync(blob)) linkSync(layer.blob, blob)
}

/** Undoes `moveIn`: the transaction failed, so no row speaks of these. */
function moveOut({ table, paths }: AdoptDeps, layer: StagedLayer, id: number): void {
  rmSync(snapshotPath(paths, id), { recursive: true, force: true })
  if (table.blob(layer.layer.blobDigest) === undefined) {
    rmSync(blobPath(paths, layer.layer.blobDigest), { force: true })
  }
}

/** Above every row and every directory: one that a crash has left is not taken over. */
function nextLayerId({ table, paths }: AdoptDeps): number {
  const used = [
    ...table.layers().map((layer) => layer.id),
    ...readdirSync(paths.snapshots).map(Number),
  ]
  return used.reduce((max, id) => (id > max ? id : max), 0) + 1
}

/**
 * A layer may hold `a/b/file` and no member for `a` or `a/b`. Overlay shows the attributes of the topmost directory, so
 * those are copied from the layers below, as containerd does.
 */
function copyImpliedDirectories(
  { table, paths }: AdoptDeps,
  chain: readonly string[],
  staged: ReadonlyMap<string, StagedLayer>,
): void {
  const below: string[] = []
  for (const chainId of chain) {
    const row = table.layerByChain(chainId)
    const layer = staged.get(chainId)
    if (
      row === undefined &&
      layer !== undefined &&
      layer.layer.impliedDirectories.length > 0 &&
      below.length > 0
    ) {
      copyAttributes(below, layer.directory, layer.layer.impliedDirectories)
    }
    const directory = row === undefined ? layer?.directory : snapshotPath(paths, row.id)
    if (directory !== undefined) below.unshift(directory)
  }
}

function syncNames(directory: string): void {
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
