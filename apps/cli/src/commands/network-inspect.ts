import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { inspectSource } from '../inspect-source.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Display detailed information on one or more networks',
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: 'verbose', short: 'v', kind: 'bool', help: 'Verbose output for diagnostics' },
  ],
  args: { min: 1 },
  examples: [
    {
      text: 'The addresses of a network',
      command: "ctr network inspect -f '{{json .IPAM.Config}}' backend",
    },
  ],
  run: ({ client }, { flags, args }) =>
    inspectEach(
      args,
      flags.string('format'),
      (ref) => inspectSource(client, 'network', ref),
      errorText,
    ),
}
