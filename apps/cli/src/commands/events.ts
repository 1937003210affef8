import type { EventMessage } from '@ctr/api'
import { events } from '@ctr/client'
import { messageOf } from '@ctr/errdefs'
import { FILTER_FLAG, parseFilters, parseTime } from '@ctr/options'
import { Template } from '@ctr/template'
import { type Command, ExitError } from '../command.ts'
import { INSPECT_FORMAT_FLAG } from '../format/inspect.ts'
import { localRfc3339Nano } from '../format/nano-time.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Get real time events from the server',
  aliases: ['ctr system events', 'ctr events'],
  flags: [
    FILTER_FLAG,
    { name: 'format', kind: 'string', help: INSPECT_FORMAT_FLAG.help },
    { name: 'since', kind: 'string', help: 'Show all events created since timestamp' },
    { name: 'until', kind: 'string', help: 'Stream events until this timestamp' },
  ],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'Everything from now on', command: 'ctr events' },
    {
      text: 'Containers that ended in the last hour',
      command: 'ctr events --since 1h --until 0s --filter event=die',
    },
    { text: 'One JSON document per line', command: 'ctr events --format json' },
  ],
  async run({ client }, { flags }) {
    const format = flags.string('format')
    const template = format === '' || format === 'json' ? undefined : compile(format)
    const since = flags.string('since') || undefined
    const until = flags.string('until') || undefined
    const stream = events(client, {
      since: since === undefined ? undefined : parseTime(since),
      until: until === undefined ? undefined : parseTime(until),
      filters: parseFilters(flags.list('filter')),
    })
    for await (const { message, text, timeNs } of stream) {
      if (template !== undefined) printLine(execute(template, { ...message, timeNano: timeNs }))
      else printLine(format === 'json' ? text : eventText(message, timeNs))
    }
  },
}

function compile(format: string): Template {
  try {
    return new Template(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'), {
      missingField: (name) => `can't evaluate field ${name} in type *events.Message`,
    })
  } catch (error) {
    throw new ExitError(64, `Error parsing format: ${messageOf(error)}`)
  }
}

function execute(template: Template, event: object): string {
  try {
    return template.execute(event)
  } catch (error) {
    throw new ExitError(64, `Error parsing format: ${messageOf(error)}`)
  }
}

/** `2026-11-22T00:19:58.982677903Z container create d6b9… (image=busybox, name=ref1)` */
export function eventText(
  { Type: type, Action: action, Actor: actor }: EventMessage,
  timeNs: bigint,
): string {
  const attributes = Object.entries(actor.Attributes ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  const suffix = attributes.length === 0 ? '' : ` (${attributes.join(', ')})`
  return `${localRfc3339Nano(timeNs)} ${type} ${action} ${actor.ID}${suffix}`
}
