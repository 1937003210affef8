import { CONTAINER_FLAGS } from '@ctr/options'
import type { Command } from '../command.ts'
import { createFromFlags } from '../container/create-from-flags.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  aliases: ['ctr container create', 'ctr create'],
  flags: CONTAINER_FLAGS,
  args: { min: 1 },
  interspersed: false,
  examples: [
    {
      text: 'Create, look, start',
      command: 'ctr create --name hello busybox echo hi && ctr start -a hello',
    },
  ],
  async run(context, input) {
    const created = await createFromFlags(context, input, { isDetached: false })
    if (created !== undefined) printLine(created.id)
  },
}
