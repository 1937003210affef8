import type { ImageSummary } from '@ctr/api'
import { goTime, humanDuration } from './duration.ts'
import type { ListFormat, Row } from './list.ts'
import { formatSize } from './size.ts'
import { shortId } from './text.ts'

/** Rows of `images`: one per tag (docker/cli formatter/image.go). */
export function imageList(withDigests: boolean): ListFormat {
  const columns = [
    'Repository',
    'Tag',
    ...(withDigests ? ['Digest'] : []),
    'ID',
    'CreatedSince',
    'Size',
  ]
  return {
    headers: {
      ID: 'IMAGE ID',
      Repository: 'REPOSITORY',
      Tag: 'TAG',
      Digest: 'DIGEST',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      Size: 'SIZE',
      Containers: 'CONTAINERS',
      VirtualSize: 'SIZE',
      SharedSize: 'SHARED SIZE',
      UniqueSize: 'UNIQUE SIZE',
    },
    table: columns.map((name) => `{{.${name}}}`).join('\t'),
    quiet: '{{.ID}}',
    raw: `repository: {{.Repository}}\ntag: {{.Tag}}\n${withDigests ? 'digest: {{.Digest}}\n' : ''}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`,
    rowType: '*formatter.imageContext',
  }
}

export function imageRows(
  image: ImageSummary,
  options: { readonly truncate: boolean; readonly withDigests: boolean; readonly nowMs: number },
): Row[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== '<none>:<none>')
  const digests = (image.RepoDigests ?? []).filter((digest) => digest !== '<none>@<none>')
  return names(tags, digests, options.withDigests).map(({ repository, tag, digest }) => ({
    Containers: count(image.Containers),
    get CreatedAt() {
      return goTime(image.Created)
    },
    CreatedSince:
      image.Created > 0 ? `${humanDuration(options.nowMs - image.Created * 1000)} ago` : 'N/A',
    Digest: digest,
    ID: options.truncate ? shortId(image.Id) : image.Id,
    Repository: repository,
    SharedSize: bytes(image.SharedSize),
    Size: formatSize(image.Size),
    Tag: tag,
    UniqueSize: image.SharedSize === -1 ? 'N/A' : bytes(image.Size - image.SharedSize),
    VirtualSize: formatSize(image.VirtualSize ?? image.Size, 4),
  }))
}

interface Name {
  readonly repository: string
  readonly tag: string
  readonly digest: string
}

const NONE = '<none>'

function names(tags: readonly string[], digests: readonly string[], withDigests: boolean): Name[] {
  if (tags.length === 0 && digests.length === 0)
    return [{ repository: NONE, tag: NONE, digest: NONE }]
  const rows = tags.flatMap((reference) => {
    const colon = reference.lastIndexOf(':')
    const repository = reference.slice(0, colon)
    const tag = reference.slice(colon + 1)
    const own = withDigests ? digestsOf(digests, repository) : []
    if (own.length === 0) return [{ repository, tag, digest: NONE }]
    return own.map((digest) => ({ repository, tag, digest }))
  })
  const tagged = new Set(rows.map((row) => row.repository))
  const untagged = digests
    .map((reference) => reference.slice(0, reference.indexOf('@')))
    .filter(
      (repository, index, all) => !tagged.has(repository) && all.indexOf(repository) === index,
    )
    .flatMap((repository) =>
      digestsOf(digests, repository).map((digest) => ({ repository, tag: NONE, digest })),
    )
  return [...rows, ...untagged]
}

function digestsOf(digests: readonly string[], repository: string): string[] {
  const prefix = `${repository}@`
  return digests
    .filter((digest) => digest.startsWith(prefix))
    .map((digest) => digest.slice(prefix.length))
}

function count(value: number): string {
  return value === -1 ? 'N/A' : String(value)
}

function bytes(value: number): string {
  return value === -1 ? 'N/A' : formatSize(value, 4)
}
