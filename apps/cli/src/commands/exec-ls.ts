import type { ExecSummary } from '@ctr/api'
import { listExecs } from '@ctr/client'
import type { Command } from '../command.ts'
import { humanDuration } from '../format/duration.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'

export const command: Command = {
  usage: '[OPTIONS] [CONTAINER]',
  summary: 'List execs: additional processes in containers',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', help: 'Show all execs (default shows just running)' },
    FORMAT_FLAG,
    { name: 'no-trunc', kind: 'bool', help: "Don't truncate output" },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only display exec IDs' },
  ],
  args: { min: 0, max: 1 },
  examples: [
    { text: 'All that run', command: 'ctr exec ls' },
    { text: 'Those of one container, ended ones too', command: 'ctr exec ls -a web' },
  ],
  async run({ client }, { flags, args }) {
    const execs = await listExecs(client, { container: args[0], all: flags.bool('all') })
    const isWhole = flags.bool('no-trunc')
    const rows = execs.map((exec) => execRow(exec, isWhole, Date.now()))
    printList(rows, EXEC_LIST, { format: flags.string('format'), quiet: flags.bool('quiet') })
  },
}

const EXEC_LIST: ListFormat = {
  headers: {
    ID: 'EXEC ID',
    Container: 'CONTAINER',
    ContainerID: 'CONTAINER ID',
    Command: 'COMMAND',
    CreatedAt: 'CREATED',
    Status: 'STATUS',
    Pid: 'PID',
  },
  table: '{{.ID}}\t{{.Container}}\t{{.Command}}\t{{.CreatedAt}}\t{{.Status}}\t{{.Pid}}',
  quiet: '{{.ID}}',
  rowType: '*formatter.execContext',
}

const SHORT_ID = 12
const SHORT_COMMAND = 20

function execRow(exec: ExecSummary, isWhole: boolean, nowMs: number): Row {
  const short = (id: string): string => (isWhole ? id : id.slice(0, SHORT_ID))
  const command = exec.Command.join(' ')
  const isLong = !isWhole && command.length > SHORT_COMMAND
  return {
    ID: short(exec.ID),
    Container: exec.ContainerName,
    ContainerID: short(exec.ContainerID),
    Command: `"${isLong ? `${command.slice(0, SHORT_COMMAND - 1)}…` : command}"`,
    CreatedAt: `${humanDuration(nowMs - exec.Created * 1000)} ago`,
    Status: exec.State === 'exited' ? `Exited (${exec.ExitCode})` : capitalised(exec.State),
    Pid: exec.Pid,
  }
}

function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}
