import { pruneNetworks } from '@ctr/client'
import type { Command } from '../command.ts'
import { writeOut } from '../output/write.ts'
import { mayPrune, PRUNE_FLAGS, pruneFilters } from '../prune.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  flags: PRUNE_FLAGS,
  args: { min: 0, max: 0 },
  async run({ client }, { flags }) {
    if (
      !mayPrune(
        flags,
        'WARNING! This will remove all custom networks not used by at least one container.',
      )
    )
      return
    const names = (await pruneNetworks(client, pruneFilters(flags))).NetworksDeleted ?? []
    if (names.length > 0) writeOut(`Deleted Networks:\n${names.join('\n')}\n\n`)
  },
}
