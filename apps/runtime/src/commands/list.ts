import { readFileSync } from 'node:fs'
import type { Command } from '../command.ts'
import { invalidArgument } from '../errors.ts'
import { print, table } from '../output.ts'
import { listRecords } from '../record.ts'
import { runcState } from '../runc-state.ts'

export const command: Command = {
  summary: 'lists containers started by the runtime with the given root',
  usage: '',
  flags: [
    { names: ['format', 'f'], kind: 'text', help: 'select one of: table or json' },
    { names: ['quiet', 'q'], kind: 'bool', help: 'display only container IDs' },
  ],
  minArgs: 0,
  maxArgs: 0,
  run: (context, { flags }) => {
    const records = listRecords(context.root)
    if (flags.bool('quiet')) {
      print(records.map(({ record }) => `${record.id}\n`).join(''))
      return 0
    }
    const format = flags.text('format') ?? 'table'
    if (format !== 'table' && format !== 'json') throw invalidArgument('invalid format option')
    const states = records.map(
      ({ record, uid }) => runcState(context.root, record, userName(uid)) as Row,
    )
    if (format === 'json') {
      print(`${states.length === 0 ? 'null' : JSON.stringify(states)}\n`)
      return 0
    }
    print(
      table([
        ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
        ...states.map((row) => [
          row.id,
          String(row.pid),
          row.status,
          row.bundle,
          row.created,
          row.owner,
        ]),
      ]),
    )
    return 0
  },
}

interface Row {
  readonly id: string
  readonly pid: number
  readonly status: string
  readonly bundle: string
  readonly created: string
  readonly owner: string
}

function userName(uid: number): string {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(uid))
  return line?.split(':')[0] ?? `#${uid}`
}
