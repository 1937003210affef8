import { stopContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop one or more running containers',
  aliases: ['ctr container stop', 'ctr stop'],
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
  examples: [
    { text: 'With five seconds to end', command: 'ctr stop -t 5 web' },
    { text: 'All that run', command: 'ctr stop $(ctr ps -q)' },
  ],
  run: ({ client }, { flags, args }) => {
    const options = { timeoutSeconds: flags.int('timeout'), signal: flags.optional('signal') }
    return eachTarget(args, (ref) => stopContainer(client, ref, options))
  },
}
