import {
  canonicalReference,
  digestHex,
  digestOf,
  familiarReference,
  MEDIA_TYPE,
  type Reference,
} from '@ctr/oci'
import type { Compression } from '../content/compression.ts'
import { encodeHeader, paddingOf, TAR_END } from '../tar/write.ts'

interface LayerToWrite {
  readonly digest: string
  readonly size: number
  readonly compression: Compression
  readonly open: () => AsyncIterable<Buffer>
}

export interface ImageToWrite {
  readonly config: Buffer
  readonly parent: string | undefined
  readonly names: readonly Reference[]
  /** Bottom first. */
  readonly layers: readonly LayerToWrite[]
}

interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

const LAYER_MEDIA_TYPES: Record<Compression, string> = {
  none: MEDIA_TYPE.ociLayer,
  gzip: MEDIA_TYPE.ociLayerGzip,
  zstd: MEDIA_TYPE.ociLayerZstd,
  // Not in the spec, but truer than another one's name.
  bzip2: `${MEDIA_TYPE.ociLayer}+bzip2`,
  xz: `${MEDIA_TYPE.ociLayer}+xz`,
}

/** An archive that is docker save's and an OCI layout at once, as Docker writes it since version 25. */
export async function* writeArchive(images: readonly ImageToWrite[]): AsyncGenerator<Buffer> {
  const written = new Set<string>()
  yield directory('blobs')
  yield directory('blobs/sha256')
  const manifests = images.map((image) => Buffer.from(JSON.stringify(toManifest(image))))
  for (const [index, image] of images.entries()) {
    for (const layer of image.layers) {
      if (!isNew(written, layer.digest)) continue
      yield encodeHeader({ ...FILE, path: blobName(layer.digest), size: layer.size })
      yield* layer.open()
      yield Buffer.alloc(paddingOf(layer.size))
    }
    for (const document of [image.config, manifests[index] ?? Buffer.alloc(0)]) {
      const digest = digestOf(document)
      if (isNew(written, digest)) yield file(blobName(digest), document)
    }
  }
  yield file('index.json', json(toIndex(images, manifests)))
  const saved = new Set(images.map(({ config }) => digestOf(config)))
  yield file('manifest.json', json(images.map((image) => toDockerItem(image, saved))))
  yield file('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
  yield TAR_END
}

const FILE = { type: 'file', mode: 0o644 } as const

function configBlob(config: Buffer): Blob {
  return { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(config), size: config.length }
}

function layerBlob({ digest, size, compression }: LayerToWrite): Blob {
  return { mediaType: LAYER_MEDIA_TYPES[compression], digest, size }
}

function toManifest(image: ImageToWrite): object {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: configBlob(image.config),
    layers: image.layers.map(layerBlob),
  }
}

function toIndex(images: readonly ImageToWrite[], manifests: readonly Buffer[]): object {
  const descriptors = images.flatMap((image, index) => {
    const data = manifests[index] ?? Buffer.alloc(0)
    const blob = { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(data), size: data.length }
    if (image.names.length === 0) return [blob]
    return image.names.map((name) => ({
      ...blob,
      annotations: {
        'io.containerd.image.name': canonicalReference(name),
        'org.opencontainers.image.ref.name': name.tag ?? '',
      },
    }))
  })
  return { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: descriptors }
}

/** The parent is named if it is saved too. moby image/tarexport/save.go validatedParentLinks */
function toDockerItem(image: ImageToWrite, saved: ReadonlySet<string>): object {
  return {
    Config: blobName(digestOf(image.config)),
    RepoTags: image.names.length === 0 ? null : image.names.map(familiarReference),
    Layers: image.layers.map((layer) => blobName(layer.digest)),
    ...(image.parent !== undefined && saved.has(image.parent) ? { Parent: image.parent } : {}),
  }
}

function blobName(digest: string): string {
  return `blobs/sha256/${digestHex(digest)}`
}

function directory(path: string): Buffer {
  return encodeHeader({ type: 'directory', mode: 0o755, path })
}

function file(path: string, data: Buffer): Buffer {
  const header = encodeHeader({ ...FILE, path, size: data.length })
  return Buffer.concat([header, data, Buffer.alloc(paddingOf(data.length))])
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function isNew(written: Set<string>, digest: string): boolean {
  if (written.has(digest)) return false
  written.add(digest)
  return true
}
