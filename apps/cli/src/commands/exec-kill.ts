import { killExec } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: '[OPTIONS] EXEC [EXEC...]',
  summary: 'Send a signal to the process of one or more execs',
  flags: [
    {
      name: 'signal',
      short: 's',
      kind: 'string',
      help: 'Signal to send to the process',
      default: 'KILL',
    },
  ],
  args: { min: 1 },
  examples: [{ text: 'End one', command: 'ctr exec kill -s TERM 4f1c' }],
  run: ({ client }, { flags, args }) =>
    eachTarget(args, (id) => killExec(client, id, { signal: flags.optional('signal') })),
}
