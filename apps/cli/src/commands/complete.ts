import type { Command } from '../command.ts'
import { complete } from '../completion/complete.ts'
import { writeOut } from '../output/write.ts'

/**
 * For the scripts of `ctr completion`: one candidate per line, its explanation after a tab, then `:files` if the shell should
 * offer files, else `:words`.
 */
export const command: Command = {
  usage: '-- WORD...',
  summary: 'Print what can complete the last of the words',
  flags: [],
  args: { min: 0 },
  async run(context, { args }) {
    const { candidates, files } = await complete(args, context)
    const current = args.at(-1) ?? ''
    const lines = candidates
      .filter(({ word }) => word.startsWith(current) && !/\s/.test(word))
      .map(({ word, help }) => (help === undefined ? word : `${word}\t${help.split('\n')[0]}`))
    writeOut(`${[...lines, files ? ':files' : ':words'].join('\n')}\n`)
  },
}
