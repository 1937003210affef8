import { containerChanges } from '@ctr/client'
import type { Command } from '../command.ts'
import { FORMAT_FLAG } from '../format/list.ts'
import { writeOut } from '../output/write.ts'

/** Kinds of FilesystemChange. */
const LETTERS = ['C', 'A', 'D'] as const

export const command: Command = {
  usage: 'CONTAINER',
  summary: "Inspect changes to files or directories on a container's filesystem",
  aliases: ['ctr container diff', 'ctr diff'],
  flags: [{ ...FORMAT_FLAG, hidden: true }],
  args: { min: 1, max: 1 },
  examples: [{ text: 'What a container has changed in its image', command: 'ctr diff web' }],
  async run({ client }, { args }) {
    const changes = await containerChanges(client, args[0] as string)
    writeOut(changes.map(({ Kind, Path }) => `${LETTERS[Kind] ?? '?'} ${Path}\n`).join(''))
  },
}
