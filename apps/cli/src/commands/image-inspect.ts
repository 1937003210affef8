import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { inspectSource } from '../inspect-source.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 1 },
  examples: [
    {
      text: 'The command that an image runs',
      command: "ctr image inspect -f '{{json .Config.Cmd}}' busybox",
    },
  ],
  run: ({ client }, { flags, args }) =>
    inspectEach(
      args,
      flags.string('format'),
      (ref) => inspectSource(client, 'image', ref),
      errorText,
    ),
}
