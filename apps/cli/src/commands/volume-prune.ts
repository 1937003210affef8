import { pruneVolumes } from '@ctr/client'
import type { Command } from '../command.ts'
import { dryRunOf, mayPrune, PRUNE_FLAGS, printPruned, pruneFilters } from '../prune.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Remove unused local volumes',
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      help: 'Remove all unused volumes, not just anonymous ones',
    },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'Unnamed ones that nothing uses', command: 'ctr volume prune' },
    { text: 'Named ones, too: what would go', command: 'ctr volume prune -a --dry-run' },
  ],
  async run({ client }, { flags }) {
    const filters = pruneFilters(flags)
    const all = flags.bool('all')
    if (all && filters['all'] !== undefined)
      throw new Error('conflicting options: cannot specify both --all and --filter all=1')
    if (all) filters['all'] = ['true']
    const which = all ? 'local volumes' : 'anonymous local volumes'
    if (!mayPrune(flags, `WARNING! This will remove ${which} not used by at least one container.`))
      return
    const pruned = await pruneVolumes(client, filters, dryRunOf(flags))
    printPruned({
      isDryRun: flags.bool('dry-run'),
      title: 'Deleted Volumes',
      names: pruned.VolumesDeleted ?? [],
      bytes: pruned.SpaceReclaimed,
    })
  },
}
