import type { Command } from '../command.ts'
import { print } from '../output.ts'
import { readRecord } from '../record.ts'
import { runcState } from '../runc-state.ts'

export const command: Command = {
  summary: 'output the state of a container',
  usage: '<container-id>',
  flags: [],
  minArgs: 1,
  maxArgs: 1,
  run: (context, { args }) => {
    const record = readRecord(context.root, args[0] ?? '')
    print(JSON.stringify(runcState(context.root, record, ''), null, 2))
    return 0
  },
}
