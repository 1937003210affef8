import type { HistoryItem } from '@ctr/api'
import { imageHistory } from '@ctr/client'
import type { Command } from '../command.ts'
import { humanDuration } from '../format/duration.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { formatSize } from '../format/size.ts'
import { ellipsis, shortId } from '../format/text.ts'

export const command: Command = {
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  aliases: ['ctr image history', 'ctr history'],
  flags: [
    FORMAT_FLAG,
    {
      name: 'human',
      short: 'H',
      kind: 'bool',
      help: 'Print sizes and dates in human readable format',
      default: 'true',
    },
    { name: 'no-trunc', kind: 'bool', help: "Don't truncate output" },
    {
      name: 'platform',
      kind: 'string',
      help: 'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only show image IDs' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'Layers with their whole commands', command: 'ctr history --no-trunc busybox' },
  ],
  async run({ client }, { flags, args }) {
    const items = await imageHistory(client, args[0] as string, {
      platform: flags.string('platform'),
    })
    const options = {
      truncate: !flags.bool('no-trunc'),
      isHuman: flags.boolOr('human', true),
      nowMs: Date.now(),
    }
    printList(
      items.map((item) => historyRow(item, options)),
      historyList(options.isHuman),
      { format: flags.string('format'), quiet: flags.bool('quiet') },
    )
  },
}

function historyList(isHuman: boolean): ListFormat {
  const columns = ['ID', isHuman ? 'CreatedSince' : 'CreatedAt', 'CreatedBy', 'Size', 'Comment']
  return {
    headers: {
      ID: 'IMAGE',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      CreatedBy: 'CREATED BY',
      Size: 'SIZE',
      Comment: 'COMMENT',
    },
    table: columns.map((name) => `{{.${name}}}`).join('\t'),
    quiet: '{{.ID}}',
    rowType: '*image.historyContext',
  }
}

interface HistoryOptions {
  readonly truncate: boolean
  readonly isHuman: boolean
  readonly nowMs: number
}

function historyRow(item: HistoryItem, { truncate, isHuman, nowMs }: HistoryOptions): Row {
  const createdBy = item.CreatedBy.replaceAll('\t', ' ')
  const createdAt =
    item.Created <= 0 ? '' : new Date(item.Created * 1000).toISOString().replace('.000Z', 'Z')
  const since = item.Created <= 0 ? 'N/A' : `${humanDuration(nowMs - item.Created * 1000)} ago`
  return {
    Comment: item.Comment,
    CreatedAt: createdAt,
    CreatedBy: truncate ? ellipsis(createdBy, 45) : createdBy,
    CreatedSince: isHuman ? since : createdAt,
    ID: truncate ? shortId(item.Id) : item.Id,
    Size: isHuman ? formatSize(item.Size) : String(item.Size),
  }
}
