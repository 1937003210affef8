import type { Command } from '../command.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '',
  summary: 'Print the name of the current context',
  flags: [],
  args: { min: 0, max: 0 },
  examples: [{ text: 'The one that counts now', command: 'ctr context show' }],
  async run({ contextName }) {
    printLine(contextName)
  },
}
