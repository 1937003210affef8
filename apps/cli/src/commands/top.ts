import { topContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { printRaggedTable } from '../output/ragged-table.ts'

export const command: Command = {
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  aliases: ['ctr container top', 'ctr top'],
  flags: [],
  args: { min: 1 },
  examples: [
    { text: 'Processes as ps shows them', command: 'ctr top web' },
    { text: 'Chosen columns', command: 'ctr top web -o pid,rss,args' },
  ],
  interspersed: false,
  async run({ client }, { args }) {
    const [ref = '', ...psArgs] = args
    const { Titles, Processes } = await topContainer(client, ref, psArgs.join(' ') || undefined)
    printRaggedTable([Titles, ...Processes])
  },
}
