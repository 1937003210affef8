import { commitContainer } from '@ctr/client'
import { parseReference } from '@ctr/options'
import type { Command } from '../command.ts'
import { Transfer } from '../output/transfer.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  aliases: ['ctr container commit', 'ctr commit'],
  flags: [
    {
      name: 'author',
      short: 'a',
      kind: 'string',
      help: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")',
    },
    {
      name: 'change',
      short: 'c',
      kind: 'list',
      help: 'Apply Dockerfile instruction to the created image',
    },
    { name: 'message', short: 'm', kind: 'string', help: 'Commit message' },
    { name: 'no-pause', kind: 'bool', help: 'Do not pause the container during commit' },
    {
      name: 'pause',
      short: 'p',
      kind: 'bool',
      help: 'Pause container during commit',
      default: 'true',
    },
  ],
  args: { min: 1, max: 2 },
  examples: [
    {
      text: 'An image of what a container has become',
      command: 'ctr commit -m "with tools" web web:tools',
    },
    { text: 'With another command', command: `ctr commit -c 'CMD ["httpd", "-f"]' web web:server` },
  ],
  async run({ client }, { flags, args }) {
    const [container = '', reference] = args
    const target = reference === undefined ? undefined : parseReference(reference)
    using transfer = new Transfer('Committing')
    const id = await commitContainer(client, {
      container,
      repository: target?.name,
      tag: target?.tag ?? (target === undefined ? undefined : 'latest'),
      comment: flags.optional('message'),
      author: flags.optional('author'),
      changes: flags.list('change'),
      pause: flags.boolOr('pause', true) && !flags.bool('no-pause'),
    })
    transfer.end()
    printLine(id)
  },
}
