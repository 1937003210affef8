import { EngineError } from '@ctr/errdefs'
import {
  type Descriptor,
  digestHex,
  isDigest,
  MEDIA_TYPE,
  type Reference,
  withDefaultTag,
} from '@ctr/oci'
import { parseUserReference } from '../lookup.ts'
import { choosePlatform, parseIndex, parseManifest } from '../manifest.ts'
import { type ArchivedImage, readDocument, verifyDocument } from './document.ts'
import type { ArchiveSpool } from './spool.ts'

/** containerd's annotation holds the whole name; the spec's own may hold a name or a bare tag. image-spec annotations.md */
const NAME_ANNOTATION = 'io.containerd.image.name'
const REF_ANNOTATION = 'org.opencontainers.image.ref.name'
const MAX_INDEX_DEPTH = 4

/** Reads `index.json` of an OCI layout. Of an image for several platforms the one for this machine is taken. */
export function readOciIndex(spool: ArchiveSpool): ArchivedImage[] {
  const index = parseIndex(readDocument(spool, 'index.json'))
  return index.manifests.map((descriptor) => readImage(spool, descriptor))
}

function readImage(spool: ArchiveSpool, descriptor: Descriptor): ArchivedImage {
  let current = descriptor
  for (let depth = 0; depth < MAX_INDEX_DEPTH; depth++) {
    const data = readBlob(spool, current.digest)
    if (!isIndex(current)) {
      const manifest = parseManifest(data)
      return {
        config: readBlob(spool, manifest.config.digest),
        layers: manifest.layers.map(({ digest }) => ({ name: blobName(digest), digest })),
        names: nameOf(descriptor),
        parent: undefined,
      }
    }
    current = choosePlatform(parseIndex(data), undefined)
  }
  throw new EngineError('INVALID_ARGUMENT', 'invalid index.json: indexes are nested too deep')
}

function readBlob(spool: ArchiveSpool, digest: string): Buffer {
  const name = blobName(digest)
  return verifyDocument(readDocument(spool, name), digest, name)
}

function blobName(digest: string): string {
  if (!isDigest(digest)) throw new EngineError('INVALID_ARGUMENT', `invalid digest ${digest}`)
  return `blobs/sha256/${digestHex(digest)}`
}

function isIndex({ mediaType }: Descriptor): boolean {
  return mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerIndex
}

function nameOf({ annotations }: Descriptor): Reference[] {
  const full = annotations?.[NAME_ANNOTATION]
  const ref = annotations?.[REF_ANNOTATION]
  const text = full ?? (ref !== undefined && /[:/]/.test(ref) ? ref : undefined)
  if (text === undefined) return []
  const reference = parseUserReference(text)
  return [withDefaultTag({ ...reference, digest: undefined })]
}
