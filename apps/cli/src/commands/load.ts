import { loadImages } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { readUpload } from '../input-file.ts'
import { isTerminal } from '../node-modules.ts'
import { showProgress } from '../output/progress.ts'
import { writeOut } from '../output/write.ts'
import { terminalColumns } from '../terminal/size.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  aliases: ['ctr image load', 'ctr load'],
  flags: [
    {
      name: 'input',
      short: 'i',
      kind: 'string',
      help: 'Read from tar archive file, instead of STDIN',
    },
    {
      name: 'platform',
      kind: 'string',
      help: 'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Suppress the load output' },
  ],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'From a file', command: 'ctr load -i busybox.tar' },
    { text: 'From another machine', command: 'ssh example.com docker save web | ctr load' },
  ],
  async run({ client }, { flags }) {
    const input = flags.string('input')
    if (input === '' && isTerminal(0))
      throw new ExitError(1, 'requested load from stdin, but stdin is empty')
    const showsProgress = isTerminal(1)
    const { body, file } = readUpload(input || '-')
    const messages = loadImages(client, {
      tar: body,
      file,
      quiet: flags.bool('quiet') || !showsProgress,
    })
    await showProgress(messages, {
      write: writeOut,
      isTerminal: showsProgress,
      columns: terminalColumns(1),
    })
  },
}
