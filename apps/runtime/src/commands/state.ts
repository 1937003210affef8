import type { Command } from '../command.ts'
import { print } from '../output.ts'
import { readRecord } from '../record.ts'
import { runcDetails, runcState } from '../runc-state.ts'

export const command: Command = {
  summary: 'output the state of a container',
  usage: '<container-id>',
  flags: [
    {
      names: ['verbose'],
      kind: 'bool',
      help: 'also paths of its namespaces and cgroups, start time and config (ours)',
    },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: (context, { args, flags }) => {
    const record = readRecord(context.root, args[0] ?? '')
    const state = runcState(context.root, record, '')
    const details = flags.bool('verbose') ? runcDetails(record) : {}
    print(JSON.stringify({ ...state, ...details }, null, 2))
    return 0
  },
}
