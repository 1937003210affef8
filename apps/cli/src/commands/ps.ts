import { listContainers } from '@ctr/client'
import { FILTER_FLAG, parseFilters } from '@ctr/options'
import type { Command } from '../command.ts'
import { containerList, containerRow } from '../format/container-row.ts'
import { FORMAT_FLAG, printList } from '../format/list.ts'
import { printError } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'List containers',
  aliases: ['ctr container ls', 'ctr container list', 'ctr container ps', 'ctr ps'],
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      help: 'Show all containers (default shows just running)',
    },
    FILTER_FLAG,
    FORMAT_FLAG,
    {
      name: 'last',
      short: 'n',
      kind: 'int',
      help: 'Show n last created containers (includes all states)',
      default: '-1',
    },
    {
      name: 'latest',
      short: 'l',
      kind: 'bool',
      help: 'Show the latest created container (includes all states)',
    },
    { name: 'no-trunc', kind: 'bool', help: "Don't truncate output" },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only display container IDs' },
    { name: 'size', short: 's', kind: 'bool', help: 'Display total file sizes' },
  ],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'Names and states', command: "ctr ps -a --format 'table {{.Names}}\\t{{.Status}}'" },
    {
      text: 'Containers of a label that ended',
      command: 'ctr ps -a --filter label=app=web --filter status=exited',
    },
  ],
  async run({ client, config }, { flags }) {
    const format = flags.optional('format') ?? config.values.psFormat ?? ''
    const last = flags.bool('latest') ? 1 : (flags.int('last') ?? -1)
    const size =
      flags.bool('size') || (!flags.bool('quiet') && /\.Size\b|json \.(?!\w)/.test(format))
    const containers = await listContainers(client, {
      all: flags.bool('all'),
      limit: last > 0 ? last : undefined,
      size,
      filters: parseFilters(flags.list('filter')),
    })
    const row = { truncate: !flags.bool('no-trunc'), nowMs: Date.now() }
    // Docker's ps has this of its own.
    if (flags.bool('quiet') && flags.isSet('format')) {
      printError('WARNING: Ignoring custom format, because both --format and --quiet are set.')
    }
    printList(
      containers.map((container) => containerRow(container, row)),
      containerList(flags.bool('size')),
      { format: flags.bool('quiet') ? '' : format, quiet: flags.bool('quiet') },
    )
  },
}
