import { exportContainer } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { isTerminal } from '../node-modules.ts'
import { checkOutputPath, writeStream } from '../output/file.ts'
import { Transfer } from '../output/transfer.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  aliases: ['ctr container export', 'ctr export'],
  flags: [
    { name: 'output', short: 'o', kind: 'string', help: 'Write to a file, instead of STDOUT' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'The files of a container', command: 'ctr export -o web.tar web' },
    { text: 'One of them', command: 'ctr export web | tar xO etc/hosts' },
  ],
  async run({ client }, { flags, args }) {
    const output = flags.string('output')
    if (output === '' && isTerminal(1)) {
      throw new ExitError(1, 'cowardly refusing to save to a terminal. Use the -o flag or redirect')
    }
    checkOutputPath(output, 'export container')
    using transfer = new Transfer('Exporting', { isQuiet: output === '' })
    await writeStream(transfer.count(await exportContainer(client, args[0] as string)), output)
  },
}
