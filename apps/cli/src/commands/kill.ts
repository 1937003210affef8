import { killContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Kill one or more running containers',
  aliases: ['ctr container kill', 'ctr kill'],
  flags: [
    {
      name: 'signal',
      short: 's',
      kind: 'string',
      help: 'Signal to send to the container',
      default: 'KILL',
    },
  ],
  args: { min: 1 },
  examples: [
    { text: 'At once', command: 'ctr kill web' },
    { text: 'Read the configuration again', command: 'ctr kill -s HUP web' },
  ],
  run: ({ client }, { flags, args }) => {
    return eachTarget(args, (ref) =>
      killContainer(client, ref, { signal: flags.optional('signal') }),
    )
  },
}
