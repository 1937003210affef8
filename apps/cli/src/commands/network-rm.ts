import { removeNetwork } from '@ctr/client'
import { isEngineError } from '@ctr/errdefs'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: 'NETWORK [NETWORK...]',
  summary: 'Remove one or more networks',
  aliases: ['ctr network rm', 'ctr network remove'],
  flags: [
    { name: 'force', short: 'f', kind: 'bool', help: 'Do not error if the network does not exist' },
  ],
  args: { min: 1 },
  examples: [{ text: 'Remove two', command: 'ctr network rm backend inside' }],
  run: ({ client }, { flags, args }) =>
    eachTarget(args, async (ref) => {
      try {
        await removeNetwork(client, ref)
      } catch (error) {
        if (!flags.bool('force') || !isEngineError(error, 'NOT_FOUND')) throw error
      }
    }),
}
