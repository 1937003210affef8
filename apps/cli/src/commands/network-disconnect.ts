import { disconnectNetwork } from '@ctr/client'
import type { Command } from '../command.ts'

export const command: Command = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network',
  flags: [
    {
      name: 'force',
      short: 'f',
      kind: 'bool',
      help: 'Force the container to disconnect from a network',
    },
  ],
  args: { min: 2, max: 2 },
  examples: [{ text: 'Take a container off', command: 'ctr network disconnect backend web' }],
  async run({ client }, { flags, args }) {
    const [network = '', container = ''] = args
    await disconnectNetwork(client, network, { Container: container, Force: flags.bool('force') })
  },
}
