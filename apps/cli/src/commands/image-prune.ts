import type { ImagesPruned } from '@ctr/api'
import { pruneImages } from '@ctr/client'
import type { Command } from '../command.ts'
import { dryRunOf, mayPrune, PRUNE_FLAGS, printPruned, pruneFilters } from '../prune.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      help: 'Remove all unused images, not just dangling ones',
    },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'Images without a name', command: 'ctr image prune' },
    { text: 'What would go if all that is unused went', command: 'ctr image prune -a --dry-run' },
  ],
  async run({ client }, { flags }) {
    const all = flags.bool('all')
    const which = all
      ? 'images without at least one container associated to them'
      : 'dangling images'
    if (!mayPrune(flags, `WARNING! This will remove all ${which}.`)) return
    const pruned = await pruneImages(
      client,
      { ...pruneFilters(flags), dangling: [String(!all)] },
      dryRunOf(flags),
    )
    printPruned({
      isDryRun: flags.bool('dry-run'),
      title: 'Deleted Images',
      names: imageLines(pruned),
      bytes: pruned.SpaceReclaimed,
    })
  },
}

export function imageLines({ ImagesDeleted: images }: ImagesPruned): string[] {
  return (images ?? []).map(({ Deleted, Untagged }) =>
    Deleted === undefined ? `untagged: ${Untagged}` : `deleted: ${Deleted}`,
  )
}
