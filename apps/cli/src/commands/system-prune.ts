import { pruneContainers, pruneImages, pruneNetworks, pruneVolumes } from '@ctr/client'
import type { Command } from '../command.ts'
import { formatSize } from '../format/size.ts'
import { writeOut } from '../output/write.ts'
import { mayPrune, PRUNE_FLAGS, pruneFilters } from '../prune.ts'
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
  async run({ client }, { flags }) {
    const all = flags.bool('all')
    const volumes = flags.bool('volumes')
    if (!mayPrune(flags, warning(all, volumes))) return
    const filters = pruneFilters(flags)
    const containers = await pruneContainers(client, filters)
    const networks = await pruneNetworks(client, filters)
    const pruned = volumes ? await pruneVolumes(client, filters) : undefined
    const images = await pruneImages(client, { ...filters, dangling: [String(!all)] })
    section('Deleted Containers', containers.ContainersDeleted ?? [])
    section('Deleted Networks', networks.NetworksDeleted ?? [])
    section('Deleted Volumes', pruned?.VolumesDeleted ?? [])
    section('Deleted Images', imageLines(images))
    const bytes = containers.SpaceReclaimed + (pruned?.SpaceReclaimed ?? 0) + images.SpaceReclaimed
    writeOut(`Total reclaimed space: ${formatSize(bytes)}\n`)
  },
}

function section(title: string, names: readonly string[]): void {
  if (names.length > 0) writeOut(`${title}:\n${names.join('\n')}\n\n`)
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
