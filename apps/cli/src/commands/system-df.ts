import type { ContainerSummary, DiskUsage, ImageSummary, Volume } from '@ctr/api'
import { diskUsage } from '@ctr/client'
import type { Command } from '../command.ts'
import { containerRow } from '../format/container-row.ts'
import { imageRows } from '../format/image-row.ts'
import { FORMAT_FLAG, type ListFormat, printDocument, printList, type Row } from '../format/list.ts'
import { formatSize } from '../format/size.ts'
import { alignColumns } from '../format/tabwriter.ts'
import { writeOut } from '../output/write.ts'
import { volumeRow } from './volume-ls.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Show disk usage',
  flags: [
    FORMAT_FLAG,
    { name: 'verbose', short: 'v', kind: 'bool', help: 'Show detailed information on space usage' },
  ],
  args: { min: 0, max: 0 },
  examples: [{ text: 'Everything, one by one', command: 'ctr system df -v' }],
  async run({ client }, { flags }) {
    const usage = await diskUsage(client)
    if (flags.bool('verbose')) printVerbose(usage, flags.string('format'))
    else printList(usageRows(usage), USAGE_LIST, { format: flags.string('format') })
  },
}

const USAGE_LIST: ListFormat = {
  raw: 'type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n',
  headers: {
    Type: 'TYPE',
    TotalCount: 'TOTAL',
    Active: 'ACTIVE',
    Size: 'SIZE',
    Reclaimable: 'RECLAIMABLE',
  },
  table: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  quiet: '{{.Type}}',
  // Docker's name of the first row's type.
  rowType: '*formatter.diskUsageImagesContext',
}

export function usageRows(usage: DiskUsage): Row[] {
  return [
    imagesRow(usage),
    containersRow(usage.Containers ?? []),
    volumesRow(usage.Volumes ?? []),
    cacheRow(),
  ]
}

function imagesRow({ Images: images, LayersSize: size }: DiskUsage): Row {
  const all = images ?? []
  const active = all.filter((image) => image.Containers > 0)
  const used = active.reduce((sum, image) => sum + ownBytes(image), 0)
  return row('Images', all.length, active.length, size, size - used)
}

/** Bytes that only this image holds, as far as the daemon counted. */
function ownBytes(image: ImageSummary): number {
  return image.Size - Math.max(image.SharedSize, 0)
}

function containersRow(containers: readonly ContainerSummary[]): Row {
  const isActive = ({ State: state }: ContainerSummary): boolean =>
    ['running', 'paused', 'restarting'].includes(state)
  const total = sum(containers, (container) => container.SizeRw ?? 0)
  const used = sum(containers.filter(isActive), (container) => container.SizeRw ?? 0)
  return row(
    'Containers',
    containers.length,
    containers.filter(isActive).length,
    total,
    total - used,
  )
}

function volumesRow(volumes: readonly Volume[]): Row {
  const known = volumes.filter((volume) => (volume.UsageData?.Size ?? -1) >= 0)
  const isUsed = (volume: Volume): boolean => (volume.UsageData?.RefCount ?? 0) > 0
  const total = sum(known, (volume) => volume.UsageData?.Size ?? 0)
  const used = sum(known.filter(isUsed), (volume) => volume.UsageData?.Size ?? 0)
  return row('Local Volumes', volumes.length, volumes.filter(isUsed).length, total, total - used)
}

/** There is no builder yet; the row is part of the format. */
function cacheRow(): Row {
  return row('Build Cache', 0, 0, 0, 0)
}

function row(type: string, total: number, active: number, bytes: number, reclaimable: number): Row {
  const percent = bytes > 0 ? ` (${Math.trunc((reclaimable * 100) / bytes)}%)` : ''
  return {
    Active: String(active),
    Reclaimable: `${formatSize(reclaimable, 4)}${percent}`,
    Size: formatSize(bytes, 4),
    TotalCount: String(total),
    Type: type,
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}

/** With a format all rows are one document, `.Images`, `.Containers`, `.Volumes` and `.BuildCache`. */
function printVerbose(usage: DiskUsage, format: string): void {
  const nowMs = Date.now()
  if (format === '' || format === 'table') return writeOut(verboseText(usage, nowMs))
  printDocument(
    {
      Images: imagesOf(usage, { truncate: false, nowMs }),
      Containers: containersOf(usage, { truncate: false, nowMs }),
      Volumes: (usage.Volumes ?? []).map(volumeRow),
      BuildCache: [],
    },
    format,
    '*formatter.diskUsageContext',
  )
}

interface RowOptions {
  readonly truncate: boolean
  readonly nowMs: number
}

function imagesOf({ Images: images }: DiskUsage, o: RowOptions): Row[] {
  return (images ?? [])
    .flatMap((image) => imageRows(image, { ...o, withDigests: false }))
    .map((row) => ({ ...row, Digest: '' }))
}

/** Without the size of the image behind each. */
function containersOf({ Containers: containers }: DiskUsage, o: RowOptions): Row[] {
  return (containers ?? []).map((container) => containerRow({ ...container, SizeRootFs: 0 }, o))
}

function verboseText(usage: DiskUsage, nowMs: number): string {
  const images = imagesOf(usage, { truncate: true, nowMs })
  const containers = containersOf(usage, { truncate: true, nowMs })
  return [
    'Images space usage:\n',
    table(
      'REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\tSHARED SIZE\tUNIQUE SIZE\tCONTAINERS',
      images,
      ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size', 'SharedSize', 'UniqueSize', 'Containers'],
    ),
    '\nContainers space usage:\n',
    table('CONTAINER ID\tIMAGE\tCOMMAND\tLOCAL VOLUMES\tSIZE\tCREATED\tSTATUS\tNAMES', containers, [
      'ID',
      'Image',
      'Command',
      'LocalVolumes',
      'Size',
      'RunningFor',
      'Status',
      'Names',
    ]),
    '\nLocal Volumes space usage:\n',
    table('VOLUME NAME\tLINKS\tSIZE', (usage.Volumes ?? []).map(volumeRow), [
      'Name',
      'Links',
      'Size',
    ]),
    '\nBuild cache usage: 0B\n',
    table('CACHE ID\tCACHE TYPE\tSIZE\tCREATED\tLAST USED\tUSAGE\tSHARED', [], []),
    '',
  ].join('\n')
}

function table(header: string, rows: readonly Row[], columns: readonly string[]): string {
  return alignColumns([
    header,
    ...rows.map((row) => columns.map((name) => String(row[name])).join('\t')),
  ]).join('\n')
}
