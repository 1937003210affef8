import { importImage } from '@ctr/client'
import { parseReference } from '@ctr/options'
import type { Command } from '../command.ts'
import { readUpload } from '../input-file.ts'
import { showProgress } from '../output/progress.ts'
import { Transfer } from '../output/transfer.ts'
import { writeOut } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  summary: 'Import the contents from a tarball to create a filesystem image',
  aliases: ['ctr image import', 'ctr import'],
  flags: [
    {
      name: 'change',
      short: 'c',
      kind: 'list',
      help: 'Apply Dockerfile instruction to the created image',
    },
    { name: 'message', short: 'm', kind: 'string', help: 'Set commit message for imported image' },
    { name: 'platform', kind: 'string', help: 'Set platform if server is multi-platform capable' },
  ],
  args: { min: 1, max: 2 },
  examples: [
    { text: 'An image of a root filesystem', command: 'ctr import rootfs.tar base:1' },
    {
      text: 'With a command, from a pipe',
      command: `tar c -C rootfs . | ctr import -c 'CMD ["sh"]' - base:2`,
    },
  ],
  async run({ client }, { flags, args }) {
    const [source = '', reference] = args
    const isUrl = /^https?:\/\//.test(source)
    const target = reference === undefined ? undefined : parseReference(reference)
    using transfer = new Transfer('Importing')
    const upload = isUrl ? undefined : readUpload(source)
    const messages = importImage(client, {
      source: isUrl ? source : '-',
      tar: upload === undefined ? undefined : transfer.count(upload.body),
      file: upload?.file,
      repository: target?.name,
      tag: target?.tag,
      message: flags.optional('message'),
      changes: flags.list('change'),
      platform: flags.optional('platform'),
    })
    const write = (text: string): void => {
      transfer.end()
      writeOut(text)
    }
    await showProgress(messages, { write, isTerminal: false })
  },
}
