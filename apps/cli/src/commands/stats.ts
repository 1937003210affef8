import type { ContainerStats } from '@ctr/api'
import { type Client, containerStats, events, inspectContainer, listContainers } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { FORMAT_FLAG, printList } from '../format/list.ts'
import {
  emptyStats,
  STATS_LIST,
  type StatsValues,
  statsRow,
  statsValues,
} from '../format/stats-row.ts'
import { writeOut } from '../output/write.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Display a live stream of container(s) resource usage statistics',
  aliases: ['ctr container stats', 'ctr stats'],
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      help: 'Show all containers (default shows just running)',
    },
    FORMAT_FLAG,
    {
      name: 'no-stream',
      kind: 'bool',
      help: 'Disable streaming stats and only pull the first result',
    },
    { name: 'no-trunc', kind: 'bool', help: 'Do not truncate output' },
  ],
  args: { min: 0 },
  examples: [
    { text: 'All that run, live', command: 'ctr stats' },
    { text: 'Once', command: "ctr stats --no-stream --format '{{.Name}} {{.MemUsage}}'" },
  ],
  async run({ client, config }, { flags, args }) {
    const format = flags.optional('format') ?? config.values.statsFormat ?? ''
    const options = { format, truncate: !flags.bool('no-trunc') }
    const names = await targets(client, args, flags.bool('all'))
    if (flags.bool('no-stream')) return printOnce(client, names, options)
    return printLive(client, names, {
      ...options,
      followsAll: args.length === 0,
      all: flags.bool('all'),
    })
  },
}

/** Names must exist; without names all that run. */
async function targets(client: Client, args: readonly string[], all: boolean): Promise<string[]> {
  if (args.length === 0) return (await listContainers(client, { all })).map(({ Id }) => Id)
  await Promise.all(args.map((ref) => inspectContainer(client, ref)))
  return [...args]
}

interface PrintOptions {
  readonly format: string
  readonly truncate: boolean
}

async function printOnce(
  client: Client,
  names: readonly string[],
  options: PrintOptions,
): Promise<void> {
  const rows = await Promise.all(names.map((name) => oneSample(client, name)))
  print(rows, options)
}

/** CPU % needs two moments: the daemon waits for the second when it does not stream. */
async function oneSample(client: Client, name: string): Promise<StatsValues> {
  for await (const sample of containerStats(client, name, { stream: false }))
    return statsValues(name, sample)
  return emptyStats(name)
}

interface LiveOptions extends PrintOptions {
  readonly followsAll: boolean
  readonly all: boolean
}

const INTERVAL_MS = 1000
/** CSI H: home; CSI J: erase what is below; CSI K: erase to the end of the line. */
const HOME = '\u001b[H'
const ERASE_BELOW = '\u001b[J'

async function printLive(
  client: Client,
  names: readonly string[],
  options: LiveOptions,
): Promise<void> {
  const rows = new Map<string, StatsValues>()
  const failures: unknown[] = []
  const follow = async (name: string): Promise<void> => {
    if (rows.has(name)) return
    rows.set(name, emptyStats(name))
    try {
      for await (const sample of containerStats(client, name, { stream: true })) {
        if (isGone(sample)) break
        rows.set(name, statsValues(name, sample))
      }
    } catch (error) {
      failures.push(error)
    }
    rows.delete(name)
  }
  const followed = names.map(follow)
  if (options.followsAll)
    void followNew(client, follow).catch((error: unknown) => failures.push(error))
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
    if (!options.followsAll && rows.size === 0) break
    writeOut(HOME)
    print([...rows.values()], options)
    writeOut(ERASE_BELOW)
  }
  await Promise.all(followed)
  if (failures.length > 0) throw new ExitError(1, failures.map(errorText).join('\n'))
}

/** The stream of a container that was removed goes on with empty samples in old daemons. */
function isGone(sample: ContainerStats): boolean {
  return sample.read.startsWith('0001-')
}

async function followNew(client: Client, follow: (name: string) => Promise<void>): Promise<void> {
  for await (const { message } of events(client, {
    filters: { type: ['container'], event: ['start'] },
  })) {
    void follow(message.Actor.ID)
  }
}

function print(rows: readonly StatsValues[], { format, truncate }: PrintOptions): void {
  printList(
    rows.map((values) => statsRow(values, truncate)),
    STATS_LIST,
    { format },
  )
}
