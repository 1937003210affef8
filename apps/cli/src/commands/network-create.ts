import type { IPAMPool } from '@ctr/api'
import { createNetwork } from '@ctr/client'
import { checkLabel, type FlagValues, ipamPools, keyValueMap } from '@ctr/options'
import type { Command } from '../command.ts'
import { printError, printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  flags: [
    { name: 'attachable', kind: 'bool', help: 'Enable manual container attachment' },
    {
      name: 'aux-address',
      kind: 'list',
      value: 'map',
      help: 'Auxiliary IPv4 or IPv6 addresses used by Network driver',
    },
    {
      name: 'config-from',
      kind: 'string',
      help: 'The network from which to copy the configuration',
    },
    { name: 'config-only', kind: 'bool', help: 'Create a configuration only network' },
    {
      name: 'driver',
      short: 'd',
      kind: 'string',
      help: 'Driver to manage the Network',
      default: 'bridge',
    },
    { name: 'gateway', kind: 'csv', help: 'IPv4 or IPv6 Gateway for the master subnet' },
    { name: 'internal', kind: 'bool', help: 'Restrict external access to the network' },
    { name: 'ip-range', kind: 'csv', help: 'Allocate container ip from a sub-range' },
    {
      name: 'ipam-driver',
      kind: 'string',
      help: 'IP Address Management Driver',
      default: 'default',
    },
    { name: 'ipam-opt', kind: 'list', value: 'map', help: 'Set IPAM driver specific options' },
    {
      name: 'ipv4',
      kind: 'bool',
      help: 'Enable or disable IPv4 address assignment',
      default: 'true',
    },
    { name: 'ipv6', kind: 'bool', help: 'Enable or disable IPv6 address assignment' },
    { name: 'label', kind: 'list', help: 'Set metadata on a network', check: checkLabel },
    { name: 'opt', short: 'o', kind: 'list', value: 'map', help: 'Set driver specific options' },
    { name: 'scope', kind: 'string', help: "Control the network's scope" },
    {
      name: 'subnet',
      kind: 'csv',
      help: 'Subnet in CIDR format that represents a network segment',
    },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'With names for its containers', command: 'ctr network create backend' },
    {
      text: 'Without a way out',
      command: 'ctr network create --internal --subnet 10.9.0.0/24 inside',
    },
    {
      text: 'With addresses of the network that a link of the host is on',
      command:
        'ctr network create -d macvlan -o parent=eth0 --subnet 192.168.1.0/24 --gateway 192.168.1.1 lan',
    },
  ],
  async run({ client }, { flags, args }) {
    const created = await createNetwork(client, {
      Name: args[0] as string,
      Driver: flags.string('driver') || 'bridge',
      Scope: flags.string('scope'),
      Internal: flags.bool('internal'),
      Attachable: flags.bool('attachable'),
      ConfigOnly: flags.bool('config-only'),
      ...(flags.isSet('config-from')
        ? { ConfigFrom: { Network: flags.string('config-from') } }
        : {}),
      ...(flags.isSet('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}),
      ...(flags.isSet('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
      IPAM: {
        Driver: flags.string('ipam-driver') || 'default',
        Config: pools(flags),
        Options: keyValueMap(flags.list('ipam-opt')),
      },
      Options: keyValueMap(flags.list('opt')),
      Labels: keyValueMap(flags.list('label')),
    })
    if (created.Warning !== '' && created.Warning !== undefined)
      printError(`WARNING: ${created.Warning}`)
    printLine(created.Id)
  },
}

function pools(flags: FlagValues): IPAMPool[] {
  return ipamPools({
    subnets: flags.list('subnet'),
    ranges: flags.list('ip-range'),
    gateways: flags.list('gateway'),
    auxiliary: keyValueMap(flags.list('aux-address')),
  })
}
