import { unpauseContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Unpause all processes within one or more containers',
  aliases: ['ctr container unpause', 'ctr unpause'],
  flags: [],
  args: { min: 1 },
  examples: [{ text: 'Let it go on', command: 'ctr unpause web' }],
  run: ({ client }, { args }) => {
    return eachTarget(args, (ref) => unpauseContainer(client, ref))
  },
}
