import type { Command } from '../command.ts'
import { CREATE_FLAGS, createContainer } from '../create.ts'

export const command: Command = {
  summary: 'create a container',
  usage: '<container-id>',
  flags: CREATE_FLAGS,
  minArgs: 1,
  maxArgs: 1,
  errorPrefix: 'runc create failed',
  run: async (context, input) => {
    await createContainer(context, input.args[0] ?? '', input, false)
    return 0
  },
}
