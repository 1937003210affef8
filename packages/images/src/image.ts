import { familiarName, type ImageConfig, parseReference } from '@ctr/oci'
import type { ImageNameRow, ImageRow, ImageTable, LayerRow } from '@ctr/store'
import type { ImagePaths } from './paths.ts'
import { snapshotPath } from './paths.ts'

/** An image of the local store. */
export interface Image {
  /** sha256 of the config document. */
  readonly id: string
  /** The config document; fields that image-spec does not know are in it too. */
  readonly config: ImageConfig
  /** As Docker shows them: `busybox:latest`. */
  readonly repoTags: readonly string[]
  /** `busybox@sha256:…`, known for pulled and pushed images. */
  readonly repoDigests: readonly string[]
  /** 0 when the config has no date. */
  readonly createdAtNs: bigint
  readonly taggedAtNs: bigint
  /** Of all layers, unpacked. */
  readonly size: number
  /** Image that it was committed from, if that is still here; else ''. */
  readonly parentId: string
  readonly comment: string
  /** Directories of its layers, absolute, top first. */
  readonly layerDirectories: readonly string[]
}

/** As a list shows it. */
export interface ImageSummary {
  readonly id: string
  readonly parentId: string
  readonly repoTags: readonly string[]
  readonly repoDigests: readonly string[]
  readonly createdAtNs: bigint
  readonly size: number
  readonly labels: Readonly<Record<string, string>>
}

/** The layers of an image as Docker's inspect shows them under GraphDriver.Data. */
export function graphDriverData(image: Image): Record<string, string> {
  const [top, ...lower] = image.layerDirectories
  if (top === undefined) return {}
  const below = lower.length === 0 ? {} : { LowerDir: lower.join(':') }
  // An image is never mounted by itself, so it has neither MergedDir nor WorkDir.
  return { ...below, UpperDir: top }
}

export function toImage(
  deps: { table: ImageTable; paths: ImagePaths },
  row: ImageRow,
  names: ImageNames = readNames(deps.table),
): Image {
  // Checked when it came in, so that it can be trusted here.
  const config = JSON.parse(row.config.toString('utf8')) as ImageConfig & { comment?: string }
  const stack = deps.table.layerStack(row.topLayer)
  return {
    id: row.id,
    config: { ...config, config: config.config ?? {} },
    repoTags: names.tags.get(row.id) ?? [],
    repoDigests: names.digests.get(row.id) ?? [],
    createdAtNs: row.createdAtNs,
    taggedAtNs: row.taggedAtNs,
    size: sizeOf(stack),
    parentId: row.parent ?? '',
    comment: config.comment || (config.history?.at(-1)?.comment ?? ''),
    layerDirectories: stack.map((layer) => snapshotPath(deps.paths, layer.id)),
  }
}

export interface ImageNames {
  readonly tags: Map<string, string[]>
  readonly digests: Map<string, string[]>
}

/** All names, by image id, as Docker shows them. */
export function readNames(table: ImageTable): ImageNames {
  return {
    tags: group(table.tags(), familiarTag),
    digests: group(table.digests(), familiarDigest),
  }
}

function familiarRepository(repository: string): string {
  return familiarName(parseReference(repository))
}

export function familiarTag(row: ImageNameRow): string {
  return `${familiarRepository(row.repository)}:${row.value}`
}

export function familiarDigest(row: ImageNameRow): string {
  return `${familiarRepository(row.repository)}@${row.value}`
}

export function sizeOf(stack: readonly LayerRow[]): number {
  return stack.reduce((sum, layer) => sum + layer.size, 0)
}

/** Nanoseconds since 1970 of an RFC 3339 time; 0 for none, and for what does not fit into 64 bits. */
export function parseTimeNs(text: string | undefined): bigint {
  const match = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/i.exec(text ?? '')
  if (match === null) return 0n
  const ms = Date.parse(`${match[1]}${match[3]}`)
  if (Number.isNaN(ms) || Math.abs(ms) > 9e15) return 0n
  const fraction = BigInt((match[2] ?? '').slice(0, 9).padEnd(9, '0'))
  const ns = BigInt(ms) * 1_000_000n + fraction
  return BigInt.asIntN(64, ns) === ns && ns > 0n ? ns : 0n
}

/** Time now as image documents have it: nine digits. */
export function timeNow(): { text: string; ns: bigint } {
  const ms = Date.now()
  return { text: new Date(ms).toISOString().replace('Z', '000000Z'), ns: BigInt(ms) * 1_000_000n }
}

function group(rows: ImageNameRow[], format: (row: ImageNameRow) => string): Map<string, string[]> {
  const byImage = new Map<string, string[]>()
  for (const row of rows) {
    const list = byImage.get(row.imageId)
    if (list === undefined) byImage.set(row.imageId, [format(row)])
    else list.push(format(row))
  }
  return byImage
}
