import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { inspectSource } from '../inspect-source.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: 'size', short: 's', kind: 'bool', help: 'Display total file sizes' },
  ],
  args: { min: 1 },
  examples: [{ text: 'One value', command: "ctr container inspect -f '{{.State.Status}}' web" }],
  run: ({ client }, { flags, args }) =>
    inspectEach(
      args,
      flags.string('format'),
      (ref) => inspectSource(client, 'container', ref, flags.bool('size')),
      errorText,
    ),
}
