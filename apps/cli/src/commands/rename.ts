import { renameContainer } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { printError } from '../output/write.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  aliases: ['ctr container rename', 'ctr rename'],
  flags: [],
  args: { min: 2, max: 2 },
  examples: [{ text: 'Give another name', command: 'ctr rename web web-old' }],
  async run({ client }, { args }) {
    const [container = '', name = ''] = args.map((arg) => arg.trim())
    if (container === '' || name === '')
      throw new ExitError(1, 'Error: Neither old nor new names may be empty')
    try {
      await renameContainer(client, container, name)
    } catch (error) {
      printError(errorText(error))
      throw new ExitError(1, `Error: failed to rename container named ${container}`, error)
    }
  },
}
