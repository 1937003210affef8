import { connectNetwork } from '@ctr/client'
import { keyValueMap } from '@ctr/options'
import type { Command } from '../command.ts'

export const command: Command = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network',
  flags: [
    { name: 'alias', kind: 'csv', help: 'Add network-scoped alias for the container' },
    { name: 'driver-opt', kind: 'csv', help: 'driver options for the network' },
    {
      name: 'gw-priority',
      kind: 'int',
      help: 'Highest gw-priority provides the default gateway. Accepts positive and negative values.',
    },
    { name: 'ip', kind: 'string', help: 'IPv4 address (e.g., "172.30.100.104")' },
    { name: 'ip6', kind: 'string', help: 'IPv6 address (e.g., "2001:db8::33")' },
    { name: 'link', kind: 'list', help: 'Add link to another container' },
    { name: 'link-local-ip', kind: 'csv', help: 'Add a link-local address for the container' },
  ],
  args: { min: 2, max: 2 },
  examples: [
    {
      text: 'Under another name there',
      command: 'ctr network connect --alias db backend postgres',
    },
  ],
  async run({ client }, { flags, args }) {
    const [network = '', container = ''] = args
    await connectNetwork(client, network, {
      Container: container,
      EndpointConfig: {
        IPAMConfig: {
          IPv4Address: flags.string('ip'),
          IPv6Address: flags.string('ip6'),
          LinkLocalIPs: [...flags.list('link-local-ip')],
        },
        Links: [...flags.list('link')],
        Aliases: [...flags.list('alias')],
        DriverOpts: keyValueMap(flags.list('driver-opt')),
        GwPriority: flags.int('gw-priority') ?? 0,
      },
    })
  },
}
