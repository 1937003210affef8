import { waitContainer } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { printLine } from '../output/write.ts'
import { errorText } from '../report-error.ts'

const CONDITIONS = ['not-running', 'next-exit', 'removed'] as const

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  aliases: ['ctr container wait', 'ctr wait'],
  flags: [
    {
      name: 'condition',
      kind: 'string',
      help: 'What to wait for: not-running, next-exit, removed',
      default: 'not-running',
    },
  ],
  args: { min: 1 },
  async run({ client }, { flags, args }) {
    const text = flags.string('condition') || 'not-running'
    const condition = CONDITIONS.find((item) => item === text)
    if (condition === undefined) throw new ExitError(1, `invalid condition: ${text}`)
    const errors: string[] = []
    for (const ref of args) {
      try {
        const waiting = await waitContainer(client, ref, { condition })
        printLine(String((await waiting.result).StatusCode))
      } catch (error) {
        errors.push(errorText(error))
      }
    }
    if (errors.length > 0) throw new ExitError(1, errors.join('\n'))
  },
}
