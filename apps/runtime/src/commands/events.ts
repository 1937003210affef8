import { setTimeout as delay } from 'node:timers/promises'
import type { Command, Context } from '../command.ts'
import { invalidArgument, wrongState } from '../errors.ts'
import { watchOom } from '../oom.ts'
import { print } from '../output.ts'
import { type ContainerRecord, readRecord } from '../record.ts'
import { runcStats } from '../runc-stats.ts'
import { containerStatus } from '../status.ts'

export const command: Command = {
  summary:
    'display container events such as OOM notifications, cpu, memory, and IO usage statistics',
  usage: '<container-id>',
  flags: [
    {
      names: ['interval'],
      kind: 'text',
      help: 'set the stats collection interval (default: 5s)',
    },
    { names: ['stats'], kind: 'bool', help: "display the container's stats then exit" },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: async (context, { args, flags }) => {
    const record = readRecord(context.root, args[0] ?? '')
    const intervalMs = parseDuration(flags.text('interval') ?? '5s')
    if (containerStatus(context.root, record) === 'stopped') {
      throw wrongState(`container with id ${record.id} is not running`)
    }
    if (flags.bool('stats')) printStats(record)
    else await follow(context, record, intervalMs)
    return 0
  },
}

function printStats(record: ContainerRecord): void {
  print(`${JSON.stringify({ type: 'stats', id: record.id, data: runcStats(record) })}\n`)
}

/** How soon the end of a container is seen. */
const LIVENESS_MS = 500

/** Until the container ends. */
async function follow(
  context: Context,
  record: ContainerRecord,
  intervalMs: number,
): Promise<void> {
  await using watcher = await watchOom(record, () =>
    print(`${JSON.stringify({ type: 'oom', id: record.id })}\n`),
  )
  let next = Date.now() + intervalMs
  while (containerStatus(context.root, record) !== 'stopped') {
    if (Date.now() >= next) {
      printStats(record)
      next += intervalMs
    }
    await delay(Math.max(1, Math.min(LIVENESS_MS, next - Date.now())))
  }
  await watcher.settle()
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Go's durations: `1m30s`, `500ms`. */
function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  const milliseconds = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (UNITS_MS[unit ?? ''] ?? 0),
    0,
  )
  if (parts.map(([part]) => part).join('') !== text || milliseconds <= 0) {
    throw invalidArgument('duration interval must be greater than 0')
  }
  return milliseconds
}
