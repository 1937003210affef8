import { removeVolume } from '@ctr/client'
import type { Command } from '../command.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove one or more volumes. You cannot remove a volume that is in use by a container.',
  aliases: ['ctr volume rm', 'ctr volume remove'],
  flags: [
    { name: 'force', short: 'f', kind: 'bool', help: 'Force the removal of one or more volumes' },
  ],
  args: { min: 1 },
  examples: [{ text: 'Remove one', command: 'ctr volume rm data' }],
  run: ({ client }, { flags, args }) =>
    eachTarget(args, (name) => removeVolume(client, name, flags.bool('force'))),
}
