import { pushImage } from '@ctr/client'
import { parseReference } from '@ctr/options'
import type { Command } from '../command.ts'
import { encodeAuth, registryAuth } from '../config/credentials.ts'
import { isTerminal } from '../node-modules.ts'
import { showProgress } from '../output/progress.ts'
import { printLine, writeOut } from '../output/write.ts'
import { terminalColumns } from '../terminal/size.ts'

export const command: Command = {
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  aliases: ['ctr image push', 'ctr push'],
  flags: [
    {
      name: 'all-tags',
      short: 'a',
      kind: 'bool',
      help: 'Push all tags of an image to the repository',
    },
    {
      name: 'disable-content-trust',
      kind: 'bool',
      help: 'Accepted for compatibility',
      hidden: true,
    },
    {
      name: 'platform',
      kind: 'string',
      help: 'Push a platform-specific manifest as a single-platform image to the registry',
    },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Suppress verbose output' },
  ],
  args: { min: 1, max: 1 },
  examples: [{ text: 'To a registry of your own', command: 'ctr push registry.example.com/web:1' }],
  async run({ client, config }, { flags, args }) {
    const { name, tag } = parseReference(args[0] as string)
    const allTags = flags.bool('all-tags')
    if (allTags && tag !== undefined) throw new Error("tag can't be used with --all-tags/-a")
    const isQuiet = flags.bool('quiet')
    if (!isQuiet && !allTags && tag === undefined) printLine('Using default tag: latest')
    const messages = pushImage(client, {
      image: name,
      tag: allTags ? undefined : (tag ?? 'latest'),
      auth: (await registryAuth(config.values, name)) ?? encodeAuth({}),
    })
    await showProgress(messages, {
      write: isQuiet ? () => {} : writeOut,
      isTerminal: isTerminal(1),
      columns: terminalColumns(1),
    })
    if (isQuiet) printLine(`${name}:${tag ?? 'latest'}`)
  },
}
