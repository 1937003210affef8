import type { ImageSummary } from '@ctr/api'
import { formatSize } from './size.ts'
import { shortId } from './text.ts'

/** Beside the name. Sizes stand at the right of their columns, as in docker. */
const COLUMNS = [
  { title: 'ID', width: 12, isRight: false },
  { title: 'DISK USAGE', width: 10, isRight: true },
  { title: 'CONTENT SIZE', width: 12, isRight: true },
  { title: 'EXTRA', width: 5, isRight: false },
] as const
const GAP = '   '

/**
 * Lines of `images --tree`: each image once, under all its names, and its platforms, where the daemon knows of several.
 * Laid out as docker's, without its colours.
 */
export function imageTree(images: readonly ImageSummary[]): string[] {
  const entries = images.flatMap(entriesOf)
  const width = Math.max('IMAGE'.length, ...entries.map(({ name }) => Array.from(name).length))
  const line = (name: string, cells: readonly string[]): string =>
    [name.padEnd(width), ...cells.map(align)].join(GAP).trimEnd()
  return [
    line(
      'IMAGE',
      COLUMNS.map(({ title }) => title),
    ),
    ...entries.map(({ name, cells }) => line(name, cells)),
  ]
}

interface Entry {
  readonly name: string
  /** Empty: the name is followed by another one of the same image. */
  readonly cells: readonly string[]
}

function entriesOf(image: ImageSummary): Entry[] {
  const names = image.RepoTags?.length ? image.RepoTags : ['<untagged>']
  const platforms = (image.Manifests ?? []).filter(({ Kind }) => Kind === 'image')
  const content = platforms.reduce((sum, { Size }) => sum + Size.Content, 0)
  const cells = [
    shortId(image.Id),
    formatSize(image.Size),
    // Only a store of manifests knows.
    platforms.length === 0 ? '-' : formatSize(content),
    image.Containers > 0 ? 'U' : '',
  ]
  return [
    ...names.map((name, index) => ({ name, cells: index === names.length - 1 ? cells : [] })),
    ...platforms.map(({ ID, Size, ImageData }, index) => ({
      name: `${index === platforms.length - 1 ? '└─' : '├─'} ${platformName(ImageData?.Platform)}`,
      cells: [
        shortId(ID),
        formatSize(Size.Total),
        formatSize(Size.Content),
        (ImageData?.Containers ?? []).length > 0 ? 'U' : '',
      ],
    })),
  ]
}

function platformName(
  platform: { os?: string; architecture?: string; variant?: string } | undefined,
): string {
  const { os = 'unknown', architecture = 'unknown', variant = '' } = platform ?? {}
  return [os, architecture, variant].filter((part) => part !== '').join('/')
}

function align(cell: string, index: number): string {
  const column = COLUMNS[index]
  if (column === undefined) return cell
  return column.isRight ? cell.padStart(column.width) : cell.padEnd(column.width)
}
