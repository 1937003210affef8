import type { Network } from '@ctr/api'
import { listNetworks } from '@ctr/client'
import { FILTER_FLAG, parseFilters } from '@ctr/options'
import type { Command } from '../command.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { labelsText, shortId } from '../format/text.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'List networks',
  aliases: ['ctr network ls', 'ctr network list'],
  flags: [
    { ...FILTER_FLAG, help: 'Provide filter values (e.g. "dangling=true")' },
    FORMAT_FLAG,
    { name: 'no-trunc', kind: 'bool', help: 'Do not truncate the output' },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only display network IDs' },
  ],
  args: { min: 0, max: 0 },
  examples: [{ text: 'Those you have made', command: 'ctr network ls --filter type=custom' }],
  async run({ client, config }, { flags }) {
    const networks = await listNetworks(client, parseFilters(flags.list('filter')))
    const truncate = !flags.bool('no-trunc')
    const rows = networks
      .toSorted((a, b) => (a.Name < b.Name ? -1 : 1))
      .map((network) => networkRow(network, truncate))
    const format = flags.optional('format') ?? config.values.networksFormat ?? ''
    printList(rows, NETWORK_LIST, { format, quiet: flags.bool('quiet') })
  },
}

const NETWORK_LIST: ListFormat = {
  raw: 'network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n',
  headers: {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    CreatedAt: 'CREATED AT',
  },
  table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
  quiet: '{{.ID}}',
  rowType: '*network.networkContext',
}

function networkRow(network: Network, truncate: boolean): Row {
  return {
    CreatedAt: createdAt(network.Created),
    Driver: network.Driver,
    ID: truncate ? shortId(network.Id) : network.Id,
    IPv4: String(network.EnableIPv4 ?? false),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: labelsText(network.Labels),
    Name: network.Name,
    Scope: network.Scope,
    Label: (name: unknown) => network.Labels?.[String(name)] ?? '',
  }
}

/** `2026-11-21T23:43:43.16183082Z` as Go's time.String: `2026-11-21 23:43:43.16183082 +0000 UTC`. */
function createdAt(text: string): string {
  const match = /^(\S+)T([\d:.]+)(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null) return text
  const [, date, time, zone = 'Z'] = match
  return `${date} ${time} ${zone === 'Z' ? '+0000 UTC' : `${zone.replace(':', '')} ${zone.replace(':', '')}`}`
}
