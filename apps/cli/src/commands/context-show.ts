import type { Command } from '../command.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '',
  summary: 'Print the name of the current context',
  flags: [],
  args: { min: 0, max: 0 },
  async run({ contextName }) {
    printLine(contextName)
  },
}
