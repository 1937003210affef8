import type { Volume } from '@ctr/api'
import { listVolumes } from '@ctr/client'
import { FILTER_FLAG, parseFilters } from '@ctr/options'
import type { Command } from '../command.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { formatSize } from '../format/size.ts'
import { labelsText } from '../format/text.ts'
import { printError } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'List volumes',
  aliases: ['ctr volume ls', 'ctr volume list'],
  flags: [
    { ...FILTER_FLAG, help: 'Provide filter values (e.g. "dangling=true")' },
    FORMAT_FLAG,
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only display volume names' },
  ],
  args: { min: 0, max: 0 },
  examples: [{ text: 'Those that nothing uses', command: 'ctr volume ls --filter dangling=true' }],
  async run({ client, config }, { flags }) {
    const { Volumes: volumes, Warnings: warnings } = await listVolumes(
      client,
      parseFilters(flags.list('filter')),
    )
    const rows = (volumes ?? []).toSorted((a, b) => (a.Name < b.Name ? -1 : 1)).map(volumeRow)
    const format = flags.optional('format') ?? config.values.volumesFormat ?? ''
    printList(rows, VOLUME_LIST, { format, quiet: flags.bool('quiet') })
    for (const warning of warnings ?? []) printError(`WARNING: ${warning}`)
  },
}

const VOLUME_LIST: ListFormat = {
  raw: 'name: {{.Name}}\ndriver: {{.Driver}}\n',
  headers: {
    Driver: 'DRIVER',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Links: 'LINKS',
    Size: 'SIZE',
    Group: 'GROUP',
    Availability: 'AVAILABILITY',
    Status: 'STATUS',
  },
  table: '{{.Driver}}\t{{.Name}}',
  quiet: '{{.Name}}',
  rowType: '*formatter.volumeContext',
}

export function volumeRow(volume: Volume): Row {
  const { UsageData: usage, Labels: labels } = volume
  return {
    Availability: 'N/A',
    Driver: volume.Driver,
    Group: 'N/A',
    Labels: labelsText(labels),
    Links: usage === undefined ? 'N/A' : String(usage.RefCount),
    Mountpoint: volume.Mountpoint,
    Name: volume.Name,
    Scope: volume.Scope,
    Size: usage === undefined ? 'N/A' : formatSize(usage.Size),
    Status: 'N/A',
    Label: (name: unknown) => labels?.[String(name)] ?? '',
  }
}
