import { pruneNetworks } from '@ctr/client'
import type { Command } from '../command.ts'
import { dryRunOf, mayPrune, PRUNE_FLAGS, printSection, pruneFilters } from '../prune.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  flags: PRUNE_FLAGS,
  args: { min: 0, max: 0 },
  examples: [{ text: 'What would go', command: 'ctr network prune --dry-run' }],
  async run({ client }, { flags }) {
    if (
      !mayPrune(
        flags,
        'WARNING! This will remove all custom networks not used by at least one container.',
      )
    )
      return
    const pruned = await pruneNetworks(client, pruneFilters(flags), dryRunOf(flags))
    printSection('Deleted Networks', pruned.NetworksDeleted ?? [], flags.bool('dry-run'))
  },
}
