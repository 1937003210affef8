import { tagImage } from '@ctr/client'
import { messageOf } from '@ctr/errdefs'
import { parseReference } from '@ctr/options'
import type { Command } from '../command.ts'

export const command: Command = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  aliases: ['ctr image tag', 'ctr tag'],
  flags: [],
  args: { min: 2, max: 2 },
  examples: [
    { text: 'Another name for a registry', command: 'ctr tag web:1 registry.example.com/web:1' },
  ],
  async run({ client }, { args }) {
    const [source = '', target = ''] = args
    const { name, tag, digest } = parseTarget(target)
    if (digest !== undefined) throw new Error('refusing to create a tag with a digest reference')
    await tagImage(client, source, { repository: name, tag: tag ?? 'latest' })
  },
}

function parseTarget(target: string): ReturnType<typeof parseReference> {
  try {
    return parseReference(target)
  } catch (error) {
    const reason = messageOf(error)
    throw new Error(
      `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${reason}`,
    )
  }
}
