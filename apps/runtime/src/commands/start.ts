import type { Command } from '../command.ts'
import { readRecord } from '../record.ts'
import { startContainer } from '../start.ts'

export const command: Command = {
  summary: 'executes the user defined process in a created container',
  usage: '<container-id>',
  flags: [],
  minArgs: 1,
  maxArgs: 1,
  run: async (context, { args }) => {
    await startContainer(context, readRecord(context.root, args[0] ?? ''))
    return 0
  },
}
