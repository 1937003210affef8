import { saveImages } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { isTerminal } from '../node-modules.ts'
import { checkOutputPath, writeStream } from '../output/file.ts'
import { Transfer } from '../output/transfer.ts'

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  aliases: ['ctr image save', 'ctr save'],
  flags: [
    { name: 'output', short: 'o', kind: 'string', help: 'Write to a file, instead of STDOUT' },
    {
      name: 'platform',
      kind: 'string',
      help: 'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
  ],
  args: { min: 1 },
  examples: [
    { text: 'Into a file', command: 'ctr save -o web.tar web:1 busybox' },
    { text: 'To another machine', command: 'ctr save web:1 | ssh example.com docker load' },
  ],
  async run({ client }, { flags, args }) {
    const output = flags.string('output')
    if (output === '' && isTerminal(1)) {
      throw new ExitError(1, 'cowardly refusing to save to a terminal. Use the -o flag or redirect')
    }
    checkOutputPath(output, 'save image')
    using transfer = new Transfer('Saving', { isQuiet: output === '' })
    await writeStream(transfer.count(await saveImages(client, args)), output)
  },
}
