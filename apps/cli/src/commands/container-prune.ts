import { pruneContainers } from '@ctr/client'
import type { Command } from '../command.ts'
import { dryRunOf, mayPrune, PRUNE_FLAGS, printPruned, pruneFilters } from '../prune.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  flags: PRUNE_FLAGS,
  args: { min: 0, max: 0 },
  examples: [
    { text: 'What would go', command: 'ctr container prune --dry-run' },
    { text: 'Those older than a day', command: 'ctr container prune -f --filter until=24h' },
  ],
  async run({ client }, { flags }) {
    if (!mayPrune(flags, 'WARNING! This will remove all stopped containers.')) return
    const pruned = await pruneContainers(client, pruneFilters(flags), dryRunOf(flags))
    printPruned({
      isDryRun: flags.bool('dry-run'),
      title: 'Deleted Containers',
      names: pruned.ContainersDeleted ?? [],
      bytes: pruned.SpaceReclaimed,
    })
  },
}
