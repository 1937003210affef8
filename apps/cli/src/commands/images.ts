import { type Client, type FilterMap, listImages } from '@ctr/client'
import { FILTER_FLAG, type FlagValues, parseFilters } from '@ctr/options'
import { type Command, ExitError } from '../command.ts'
import { imageList, imageRows } from '../format/image-row.ts'
import { imageTree } from '../format/image-tree.ts'
import { FORMAT_FLAG, printList } from '../format/list.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  aliases: ['ctr image ls', 'ctr image list', 'ctr images'],
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      help: 'Show all images (default hides intermediate images)',
    },
    { name: 'digests', kind: 'bool', help: 'Show digests' },
    FILTER_FLAG,
    FORMAT_FLAG,
    { name: 'no-trunc', kind: 'bool', help: "Don't truncate output" },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only show image IDs' },
    { name: 'tree', kind: 'bool', help: 'List each image once, with its names and platforms' },
  ],
  args: { min: 0, max: 1 },
  examples: [
    { text: 'With digests', command: 'ctr images --digests' },
    {
      text: 'Names and sizes',
      command: "ctr images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
    },
  ],
  async run({ client, config }, { flags, args }) {
    const filters = parseFilters(flags.list('filter'))
    if (args[0] !== undefined) filters['reference'] = [...(filters['reference'] ?? []), args[0]]
    if (flags.bool('tree')) return await printTree(client, flags, filters)
    const withDigests = flags.bool('digests')
    const images = await listImages(client, { all: flags.bool('all'), filters })
    const row = { truncate: !flags.bool('no-trunc'), withDigests, nowMs: Date.now() }
    const isQuiet = flags.bool('quiet')
    printList(
      // With -q each image counts once, whatever its tags.
      images.flatMap((image) => imageRows(image, row).slice(0, isQuiet ? 1 : undefined)),
      imageList(withDigests),
      { format: flags.optional('format') ?? config.values.imagesFormat ?? '', quiet: isQuiet },
    )
  },
}

/** As docker has them, under these names. */
const NOT_WITH_TREE = [
  ['quiet', '--quiet'],
  ['no-trunc', '--no-trunc'],
  ['digests', '--show-digest'],
] as const

async function printTree(client: Client, flags: FlagValues, filters: FilterMap): Promise<void> {
  const other =
    NOT_WITH_TREE.find(([name]) => flags.bool(name))?.[1] ??
    (flags.optional('format') === undefined ? undefined : '--format')
  if (other !== undefined) throw new ExitError(1, `${other} is not yet supported with --tree`)
  const images = await listImages(client, { all: flags.bool('all'), manifests: true, filters })
  for (const line of imageTree(images)) printLine(line)
}
