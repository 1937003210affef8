import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { inspectSource } from '../inspect-source.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] SECRET [SECRET...]',
  summary: 'Display detailed information on one or more secrets',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 1 },
  examples: [
    { text: 'What is known of it, but not the secret', command: 'ctr secret inspect token' },
  ],
  run: ({ client }, { flags, args }) =>
    inspectEach(
      args,
      flags.string('format'),
      (ref) => inspectSource(client, 'secret', ref),
      errorText,
    ),
}
