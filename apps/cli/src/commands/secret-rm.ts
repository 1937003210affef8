import { removeSecret } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: 'SECRET [SECRET...]',
  summary: 'Remove one or more secrets',
  aliases: ['ctr secret rm', 'ctr secret remove'],
  flags: [],
  args: { min: 1 },
  examples: [{ text: 'Remove one', command: 'ctr secret rm token' }],
  run: ({ client }, { args }) => eachTarget(args, (name) => removeSecret(client, name)),
}
