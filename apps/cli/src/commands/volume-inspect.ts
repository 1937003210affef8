import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { inspectSource } from '../inspect-source.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Display detailed information on one or more volumes',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 1 },
  examples: [{ text: 'Where it is', command: "ctr volume inspect -f '{{.Mountpoint}}' data" }],
  run: ({ client }, { flags, args }) =>
    inspectEach(
      args,
      flags.string('format'),
      (ref) => inspectSource(client, 'volume', ref),
      errorText,
    ),
}
