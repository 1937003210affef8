import type { Statement } from 'better-sqlite3'
import type { Store } from './open.ts'

export interface BlobRow {
  readonly digest: string
  readonly size: number
  readonly compression: string
  readonly diffId: string
}

export interface LayerRow {
  readonly id: number
  readonly chainId: string
  readonly parentId: number | null
  readonly diffId: string
  readonly size: number
  readonly blob: string
}

export interface ImageRow {
  readonly id: string
  readonly config: Buffer
  readonly createdAtNs: bigint
  readonly taggedAtNs: bigint
  readonly topLayer: number | null
  readonly parent: string | null
}

/** `value` is a tag in `image_tags`, a manifest's digest in `image_digests`. */
export interface ImageNameRow {
  readonly repository: string
  readonly value: string
  readonly imageId: string
}

/** See migration 009. */
export interface UnsyncedRow {
  readonly layer: number
  readonly boot: string
}

/** SQLite gives integers as bigint where a column holds nanoseconds; all others are small. */
interface RawImageRow extends Omit<ImageRow, 'topLayer'> {
  readonly topLayer: bigint | null
}

const LAYER_COLUMNS =
  'id, chain_id AS chainId, parent_id AS parentId, diff_id AS diffId, size, blob'
const IMAGE_COLUMNS =
  'id, config, created_at_ns AS createdAtNs, tagged_at_ns AS taggedAtNs, top_layer AS topLayer, parent'

/** So many answers are kept: more than the images that a busy host starts containers of. */
const KEPT_MAX = 256

/** The tables of images, layers and blobs. What a caller does in several steps it wraps in one transaction. */
export class ImageTable {
  readonly #store: Store
  /** Answers since the last change of an image, its names or its layers. */
  readonly #kept = new Map<string, unknown>()
  readonly #images: Record<'get' | 'all' | 'prefix' | 'children', Statement<unknown[], RawImageRow>>
  readonly #layers: Record<'byChain' | 'stack' | 'all' | 'unused', Statement<unknown[], LayerRow>>
  readonly #blobs: Record<'get' | 'bySize' | 'byDiff' | 'all', Statement<unknown[], BlobRow>>
  readonly #names: Record<'tag' | 'tags' | 'digest' | 'digests', Statement<unknown[], ImageNameRow>>
  readonly #unsynced: Statement<unknown[], UnsyncedRow>
  readonly #run: Record<string, Statement>
  readonly #containers: Statement<unknown[], { containerId: string; topLayer: number | null }>
  readonly #removeContainer: Statement<unknown[], number | null>
  readonly #isLayerUsed: Statement<unknown[], number>

  constructor(store: Store) {
    this.#store = store
    const prepare = <T>(sql: string): Statement<unknown[], T> => store.db.prepare<unknown[], T>(sql)
    const image = (tail: string): Statement<unknown[], RawImageRow> =>
      prepare<RawImageRow>(`SELECT ${IMAGE_COLUMNS} FROM images ${tail}`).safeIntegers()
    this.#images = {
      get: image('WHERE id = ?'),
      all: image('ORDER BY created_at_ns DESC, id'),
      prefix: image('WHERE id >= ? AND id < ? LIMIT 2'),
      children: image('WHERE parent = ?'),
    }
    this.#layers = {
      byChain: prepare(`SELECT ${LAYER_COLUMNS} FROM layers WHERE chain_id = ?`),
      stack: prepare(`
        WITH RECURSIVE stack (depth, layer) AS (
          SELECT 0, ? UNION ALL
          SELECT depth + 1, parent_id FROM stack JOIN layers ON layers.id = layer WHERE parent_id IS NOT NULL
        )
        SELECT ${LAYER_COLUMNS} FROM stack JOIN layers ON id = layer ORDER BY depth`),
      all: prepare(`SELECT ${LAYER_COLUMNS} FROM layers`),
      unused: prepare(`
        SELECT ${LAYER_COLUMNS} FROM layers AS l
        WHERE NOT EXISTS (SELECT 1 FROM layers WHERE parent_id = l.id)
          AND NOT EXISTS (SELECT 1 FROM images WHERE top_layer = l.id)
          AND NOT EXISTS (SELECT 1 FROM container_layers WHERE top_layer = l.id)`),
    }
    const blobColumns = 'digest, size, compression, diff_id AS diffId'
    this.#blobs = {
      get: prepare(`SELECT ${blobColumns} FROM blobs WHERE digest = ?`),
      bySize: prepare(`SELECT ${blobColumns} FROM blobs WHERE size = ? LIMIT 1`),
      byDiff: prepare(`SELECT ${blobColumns} FROM blobs WHERE diff_id = ?`),
      all: prepare(`SELECT ${blobColumns} FROM blobs`),
    }
    this.#names = {
      tag: prepare(
        'SELECT repository, tag AS value, image_id AS imageId FROM image_tags WHERE repository = ? AND tag = ?',
      ),
      tags: prepare(
        'SELECT repository, tag AS value, image_id AS imageId FROM image_tags ORDER BY repository, tag',
      ),
      digest: prepare(
        'SELECT repository, digest AS value, image_id AS imageId FROM image_digests WHERE repository = ? AND digest = ?',
      ),
      digests: prepare(
        'SELECT repository, digest AS value, image_id AS imageId FROM image_digests ORDER BY repository, digest',
      ),
    }
    this.#unsynced = prepare('SELECT layer, boot FROM unsynced_layers')
    this.#containers = prepare(
      'SELECT container_id AS containerId, top_layer AS topLayer FROM container_layers',
    )
    this.#removeContainer = store.db
      .prepare<unknown[], number | null>(
        'DELETE FROM container_layers WHERE container_id = ? RETURNING top_layer',
      )
      .pluck()
    this.#isLayerUsed = store.db
      .prepare<unknown[], number>(`
        SELECT EXISTS (SELECT 1 FROM layers WHERE parent_id = :id)
          OR EXISTS (SELECT 1 FROM images WHERE top_layer = :id)
          OR EXISTS (SELECT 1 FROM container_layers WHERE top_layer = :id)`)
      .pluck()
    this.#run = {
      putBlob: prepare(
        'INSERT OR IGNORE INTO blobs VALUES (:digest, :size, :compression, :diffId)',
      ),
      removeBlobs: prepare(
        'DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM layers WHERE blob = digest)',
      ),
      putLayer: prepare(
        'INSERT INTO layers VALUES (:id, :chainId, :parentId, :diffId, :size, :blob)',
      ),
      removeLayer: prepare('DELETE FROM layers WHERE id = ?'),
      putUnsynced: prepare('INSERT OR REPLACE INTO unsynced_layers VALUES (?, ?)'),
      removeUnsynced: prepare('DELETE FROM unsynced_layers WHERE layer = ?'),
      putImage: prepare(
        'INSERT OR IGNORE INTO images VALUES (:id, :config, :createdAtNs, :taggedAtNs, :topLayer, :parent)',
      ),
      removeImage: prepare('DELETE FROM images WHERE id = ?'),
      setTaggedAt: prepare('UPDATE images SET tagged_at_ns = ? WHERE id = ?'),
      setParent: prepare('UPDATE images SET parent = ? WHERE id = ?'),
      putTag: prepare('INSERT OR REPLACE INTO image_tags VALUES (?, ?, ?)'),
      removeTag: prepare('DELETE FROM image_tags WHERE repository = ? AND tag = ?'),
      putDigest: prepare('INSERT OR REPLACE INTO image_digests VALUES (?, ?, ?)'),
      removeDigest: prepare('DELETE FROM image_digests WHERE repository = ? AND digest = ?'),
      putContainer: prepare('INSERT OR REPLACE INTO container_layers VALUES (?, ?)'),
    }
  }

  /**
   * What `read` makes of these tables, until they change: every creation of a container asks for the same image half a dozen times.
   * It is shared, so nobody may change it.
   */
  remember<T>(key: string, read: () => T): T {
    // `has` is not asked for: undefined (there is no such image) is not worth keeping.
    const kept = this.#kept.get(key) as T | undefined
    if (kept !== undefined) return kept
    const value = read()
    // What an open transaction has changed may be rolled back.
    if (this.#store.db.inTransaction) return value
    if (this.#kept.size === KEPT_MAX) this.#kept.clear()
    this.#kept.set(key, value)
    return value
  }

  image(id: string): ImageRow | undefined {
    return this.remember(`image ${id}`, () => toImage(this.#images['get'].get(id)))
  }

  images(): ImageRow[] {
    return this.#images['all'].all().flatMap((row) => toImage(row) ?? [])
  }

  /** At most two: one is the answer, two are an ambiguity. `hex` is a beginning of an id's hex part. */
  imagesByPrefix(hex: string): ImageRow[] {
    const rows = this.#images['prefix'].all(`sha256:${hex}`, `sha256:${hex}g`)
    return rows.flatMap((row) => toImage(row) ?? [])
  }

  imageChildren(id: string): ImageRow[] {
    return this.#images['children'].all(id).flatMap((row) => toImage(row) ?? [])
  }

  putImage(row: ImageRow): void {
    this.#do('putImage', row)
  }

  removeImage(id: string): void {
    this.#do('removeImage', id)
  }

  setTaggedAt(id: string, ns: bigint): void {
    this.#do('setTaggedAt', ns, id)
  }

  setParent(id: string, parent: string | null): void {
    this.#do('setParent', parent, id)
  }

  tag(repository: string, tag: string): ImageNameRow | undefined {
    return this.#names['tag'].get(repository, tag)
  }

  tags(): ImageNameRow[] {
    return this.#names['tags'].all()
  }

  putTag(repository: string, tag: string, imageId: string): void {
    this.#do('putTag', repository, tag, imageId)
  }

  removeTag(repository: string, tag: string): void {
    this.#do('removeTag', repository, tag)
  }

  digest(repository: string, digest: string): ImageNameRow | undefined {
    return this.#names['digest'].get(repository, digest)
  }

  digests(): ImageNameRow[] {
    return this.#names['digests'].all()
  }

  putDigest(repository: string, digest: string, imageId: string): void {
    this.#do('putDigest', repository, digest, imageId)
  }

  removeDigest(repository: string, digest: string): void {
    this.#do('removeDigest', repository, digest)
  }

  layerByChain(chainId: string): LayerRow | undefined {
    return this.#layers['byChain'].get(chainId)
  }

  /** A layer and all below it, top first. */
  layerStack(topLayer: number | null): LayerRow[] {
    return topLayer === null ? [] : this.#layers['stack'].all(topLayer)
  }

  layers(): LayerRow[] {
    return this.#layers['all'].all()
  }

  putLayer(row: LayerRow): void {
    this.#do('putLayer', row)
  }

  unsyncedLayers(): UnsyncedRow[] {
    return this.#unsynced.all()
  }

  putUnsynced(layerId: number, boot: string): void {
    this.#do('putUnsynced', layerId, boot)
  }

  removeUnsynced(layerId: number): void {
    this.#do('removeUnsynced', layerId)
  }

  /** Removes layers that nothing needs, and their blobs' rows. Returns what was removed; files are the caller's. */
  removeUnused(): { layers: LayerRow[]; blobs: BlobRow[] } {
    const layers: LayerRow[] = []
    for (;;) {
      const unused = this.#layers['unused'].all()
      if (unused.length === 0) break
      for (const layer of unused) this.#do('removeLayer', layer.id)
      layers.push(...unused)
    }
    const blobs = layers.flatMap((layer) => this.#blobs['get'].get(layer.blob) ?? [])
    this.#do('removeBlobs')
    return { layers, blobs: blobs.filter((blob) => this.blob(blob.digest) === undefined) }
  }

  blob(digest: string): BlobRow | undefined {
    return this.#blobs['get'].get(digest)
  }

  hasBlobOfSize(size: number): boolean {
    return this.#blobs.bySize.get(size) !== undefined
  }

  /** Archives that hold the same layer, differently compressed. */
  blobsOfDiff(diffId: string): BlobRow[] {
    return this.#blobs['byDiff'].all(diffId)
  }

  blobs(): BlobRow[] {
    return this.#blobs['all'].all()
  }

  putBlob(row: BlobRow): void {
    this.#do('putBlob', row)
  }

  containerLayers(): { containerId: string; topLayer: number | null }[] {
    return this.#containers.all()
  }

  putContainerLayer(containerId: string, topLayer: number | null): void {
    this.#run['putContainer']?.run(containerId, topLayer)
  }

  /** True if nothing else needs the layer that it was on: time for `removeUnused`. */
  removeContainerLayer(containerId: string): boolean {
    const layer = this.#removeContainer.get(containerId) ?? null
    return layer !== null && this.#isLayerUsed.get({ id: layer }) === 0
  }

  #do(name: string, ...values: unknown[]): void {
    const statement = this.#run[name]
    if (statement === undefined) throw new TypeError(`no statement ${name}`)
    this.#kept.clear()
    statement.run(...values)
  }
}

function toImage(row: RawImageRow | undefined): ImageRow | undefined {
  if (row === undefined) return undefined
  return { ...row, topLayer: row.topLayer === null ? null : Number(row.topLayer) }
}
