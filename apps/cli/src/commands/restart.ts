import { restartContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Restart one or more containers',
  aliases: ['ctr container restart', 'ctr restart'],
  flags: [
    { name: 'signal', short: 's', kind: 'string', help: 'Signal to send to the container' },
    {
      name: 'timeout',
      short: 't',
      kind: 'int',
      help: 'Seconds to wait before killing the container',
    },
    { name: 'time', kind: 'int', help: '', aliasOf: 'timeout' },
  ],
  args: { min: 1 },
  examples: [{ text: 'With five seconds to end', command: 'ctr restart -t 5 web' }],
  run: ({ client }, { flags, args }) => {
    const options = { timeoutSeconds: flags.int('timeout'), signal: flags.optional('signal') }
    return eachTarget(args, (ref) => restartContainer(client, ref, options))
  },
}
