import { pruneContainers, pruneImages, pruneNetworks, pruneVolumes } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import {
  dryRunOf,
  mayPrune,
  PRUNE_FLAGS,
  printSection,
  printTotal,
  pruneFilters,
} from '../prune.ts'
import { imageLines } from './image-prune.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Remove unused data',
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      help: 'Remove all unused images not just dangling ones',
    },
    { name: 'volumes', kind: 'bool', help: 'Prune anonymous volumes' },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'What would go', command: 'ctr system prune -a --volumes --dry-run' },
    { text: 'Without asking', command: 'ctr system prune -f' },
  ],
  async run({ client }, { flags }) {
    const all = flags.bool('all')
    const volumes = flags.bool('volumes')
    if (volumes && pruneFilters(flags)['until'] !== undefined) {
      throw new ExitError(1, 'ERROR: The "until" filter is not supported with "--volumes"')
    }
    if (!mayPrune(flags, warning(all, volumes))) return
    const filters = pruneFilters(flags)
    const containers = await pruneContainers(client, filters, dryRunOf(flags))
    const gone = containers.ContainersDeleted ?? []
    // In a dry run the containers are still there, and what they hold would be kept for them.
    const dryRun = flags.bool('dry-run') ? { withoutContainers: gone } : undefined
    const networks = await pruneNetworks(client, filters, dryRun)
    const pruned = volumes ? await pruneVolumes(client, filters, dryRun) : undefined
    const images = await pruneImages(client, { ...filters, dangling: [String(!all)] }, dryRun)
    const isDryRun = dryRun !== undefined
    printSection('Deleted Containers', gone, isDryRun)
    printSection('Deleted Networks', networks.NetworksDeleted ?? [], isDryRun)
    printSection('Deleted Volumes', pruned?.VolumesDeleted ?? [], isDryRun)
    printSection('Deleted Images', imageLines(images), isDryRun)
    const bytes = containers.SpaceReclaimed + (pruned?.SpaceReclaimed ?? 0) + images.SpaceReclaimed
    printTotal(bytes, isDryRun)
  },
}

function warning(all: boolean, volumes: boolean): string {
  const lines = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
  ]
  return `WARNING! This will remove:\n${lines.map((line) => `  - ${line}`).join('\n')}\n`
}
