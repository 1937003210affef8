import { listCheckpoints } from '@ctr/client'
import type { Command } from '../command.ts'
import { FORMAT_FLAG, type ListFormat, printList } from '../format/list.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  summary: 'List checkpoints for a container',
  aliases: ['ctr checkpoint ls', 'ctr checkpoint list'],
  flags: [
    {
      name: 'checkpoint-dir',
      kind: 'string',
      help: 'Use a custom checkpoint storage directory',
    },
    FORMAT_FLAG,
  ],
  args: { min: 1, max: 1 },
  examples: [{ text: 'Checkpoints of a container', command: 'ctr checkpoint ls web' }],
  async run({ client }, { flags, args }) {
    const checkpoints = await listCheckpoints(
      client,
      args[0] as string,
      flags.optional('checkpoint-dir'),
    )
    printList(
      checkpoints.map(({ Name: name }) => ({ Name: name })),
      CHECKPOINT_LIST,
      { format: flags.optional('format') ?? '', quiet: false },
    )
  },
}

const CHECKPOINT_LIST: ListFormat = {
  headers: { Name: 'CHECKPOINT NAME' },
  table: '{{.Name}}',
  quiet: '{{.Name}}',
  rowType: '*checkpoint.checkpointContext',
}
