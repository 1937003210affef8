import { execFileSync } from 'node:child_process'
import { cgroupPids } from '@ctr/linux'
import type { Command } from '../command.ts'
import { invalidArgument, unavailable } from '../errors.ts'
import { print } from '../output.ts'
import { readRecord } from '../record.ts'

export const command: Command = {
  summary: 'displays the processes running inside a container',
  usage: '<container-id> [ps options]',
  flags: [{ names: ['format', 'f'], kind: 'text', help: 'select one of: table or json' }],
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  isInterspersed: false,
  run: (context, { args, flags }) => {
    const [id = '', ...options] = args
    const record = readRecord(context.root, id)
    const pids = cgroupPids(record.cgroups, record.cgroupPath).sort((a, b) => a - b)
    const format = flags.text('format') ?? 'table'
    if (format === 'json') {
      print(`${pids.length === 0 ? 'null' : JSON.stringify(pids)}\n`)
      return 0
    }
    if (format !== 'table') throw invalidArgument('invalid format option')
    print(filterPs(runPs(options.length === 0 ? ['-ef'] : options), new Set(pids)))
    return 0
  },
}

function runPs(options: readonly string[]): string {
  try {
    return execFileSync('ps', options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    throw unavailable(`ps: ${error instanceof Error ? error.message.trim() : String(error)}`, error)
  }
}

/** The heading, and the lines whose PID column is one of ours. */
function filterPs(text: string, pids: ReadonlySet<number>): string {
  const [heading = '', ...lines] = text.split('\n')
  const column = heading.split(/\s+/).filter(Boolean).indexOf('PID')
  if (column === -1) throw invalidArgument("couldn't find PID field in ps output")
  const ours = lines.filter((line) =>
    pids.has(Number(line.split(/\s+/).filter(Boolean)[column] ?? Number.NaN)),
  )
  return `${[heading, ...ours].join('\n')}\n`
}
