import { pauseContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Pause all processes within one or more containers',
  aliases: ['ctr container pause', 'ctr pause'],
  flags: [],
  args: { min: 1 },
  examples: [{ text: 'Freeze all processes', command: 'ctr pause web' }],
  run: ({ client }, { args }) => {
    return eachTarget(args, (ref) => pauseContainer(client, ref))
  },
}
