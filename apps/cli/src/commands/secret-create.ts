import { createSecret } from '@ctr/client'
import { checkLabel, keyValueMap } from '@ctr/options'
import type { Command } from '../command.ts'
import { readInput } from '../input-file.ts'
import { printLine } from '../output/write.ts'

/** A secret is smaller; what is larger need not be read to the end. */
const MAX_BYTES = 1024 * 1024

export const command: Command = {
  usage: '[OPTIONS] SECRET file|-',
  summary: 'Create a secret from a file or STDIN as content',
  flags: [{ name: 'label', short: 'l', kind: 'list', help: 'Secret labels', check: checkLabel }],
  args: { min: 2, max: 2 },
  examples: [
    {
      text: 'A password for a container',
      command:
        'printf s3cret | ctr secret create db - && ctr run --rm --secret db busybox cat /run/secrets/db',
    },
  ],
  async run({ client }, { flags, args }) {
    const [name = '', file = ''] = args
    const { ID } = await createSecret(client, {
      Name: name,
      Labels: keyValueMap(flags.list('label')),
      Data: (await read(file)).toString('base64'),
    })
    printLine(ID)
  },
}

async function read(file: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of readInput(file)) {
    size += chunk.byteLength
    chunks.push(chunk)
    if (size > MAX_BYTES) throw new Error(`${file} is too large for a secret`)
  }
  return Buffer.concat(chunks)
}
