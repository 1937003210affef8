import { containerLogs, inspectContainer } from '@ctr/client'
import { messageOf } from '@ctr/errdefs'
import { parseTime } from '@ctr/options'
import type { Command } from '../command.ts'
import { writeOut } from '../output/write.ts'
import { demultiplexedWriter } from '../stream/session.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  aliases: ['ctr container logs', 'ctr logs'],
  flags: [
    { name: 'details', kind: 'bool', help: 'Show extra details provided to logs' },
    { name: 'follow', short: 'f', kind: 'bool', help: 'Follow log output' },
    {
      name: 'since',
      kind: 'string',
      help: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    {
      name: 'tail',
      short: 'n',
      kind: 'string',
      help: 'Number of lines to show from the end of the logs',
      default: 'all',
    },
    { name: 'timestamps', short: 't', kind: 'bool', help: 'Show timestamps' },
    {
      name: 'until',
      kind: 'string',
      help: 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'Follow, from the last 20 lines on', command: 'ctr logs -f -n 20 web' },
    { text: 'With times, of the last ten minutes', command: 'ctr logs -t --since 10m web' },
  ],
  async run({ client }, { flags, args }) {
    const container = await inspectContainer(client, args[0] as string)
    const body = await containerLogs(client, container.Id, {
      stdout: true,
      stderr: true,
      follow: flags.bool('follow'),
      timestamps: flags.bool('timestamps'),
      details: flags.bool('details'),
      tail: flags.string('tail') || 'all',
      since: time('since', flags.optional('since')),
      until: time('until', flags.optional('until')),
    })
    const write = container.Config.Tty === true ? writeOut : demultiplexedWriter()
    for await (const chunk of body) write(chunk)
  },
}

function time(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return parseTime(text)
  } catch (error) {
    throw new Error(`invalid value for "${flag}": ${messageOf(error)}`)
  }
}
