import { createVolume } from '@ctr/client'
import { checkLabel, keyValueMap } from '@ctr/options'
import type { Command } from '../command.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume',
  flags: [
    {
      name: 'driver',
      short: 'd',
      kind: 'string',
      help: 'Specify volume driver name',
      default: 'local',
    },
    { name: 'label', kind: 'list', help: 'Set metadata for a volume', check: checkLabel },
    { name: 'name', kind: 'string', help: 'Specify volume name', hidden: true },
    { name: 'opt', short: 'o', kind: 'list', value: 'map', help: 'Set driver specific options' },
  ],
  args: { min: 0, max: 1 },
  examples: [
    { text: 'With a name', command: 'ctr volume create data' },
    {
      text: 'In memory',
      command: 'ctr volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch',
    },
  ],
  async run({ client }, { flags, args }) {
    if (args[0] !== undefined && flags.isSet('name')) {
      throw new Error(
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      )
    }
    const volume = await createVolume(client, {
      Name: args[0] ?? flags.string('name'),
      Driver: flags.string('driver') || 'local',
      DriverOpts: keyValueMap(flags.list('opt')),
      Labels: keyValueMap(flags.list('label')),
    })
    printLine(volume.Name)
  },
}
