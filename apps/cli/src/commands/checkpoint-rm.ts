import { removeCheckpoint } from '@ctr/client'
import type { Command } from '../command.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER CHECKPOINT',
  summary: 'Remove a checkpoint',
  aliases: ['ctr checkpoint rm', 'ctr checkpoint remove'],
  flags: [
    {
      name: 'checkpoint-dir',
      kind: 'string',
      help: 'Use a custom checkpoint storage directory',
    },
  ],
  args: { min: 2, max: 2 },
  examples: [{ text: 'Remove one', command: 'ctr checkpoint rm web before-upgrade' }],
  run: ({ client }, { flags, args }) =>
    removeCheckpoint(
      client,
      args[0] as string,
      args[1] as string,
      flags.optional('checkpoint-dir'),
    ),
}
