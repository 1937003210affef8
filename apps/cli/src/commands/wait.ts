import { waitContainer } from '@ctr/client'
import { parseDuration } from '@ctr/options'
import { type Command, ExitError } from '../command.ts'
import { printLine } from '../output/write.ts'
import { errorText } from '../report-error.ts'

const CONDITIONS = ['not-running', 'next-exit', 'removed', 'healthy', 'unhealthy'] as const

/** As timeout(1). */
const TIMED_OUT = 124

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  aliases: ['ctr container wait', 'ctr wait'],
  flags: [
    {
      name: 'condition',
      kind: 'string',
      help: 'What to wait for: not-running, next-exit, removed, healthy, unhealthy',
      default: 'not-running',
    },
    {
      name: 'timeout',
      kind: 'duration',
      help: 'Give up after this time, with exit status 124',
    },
  ],
  args: { min: 1 },
  examples: [
    { text: 'The exit code of a container', command: 'ctr wait web' },
    { text: 'Until it is healthy', command: 'ctr wait --condition healthy web' },
  ],
  async run({ client }, { flags, args }) {
    const text = flags.string('condition') || 'not-running'
    const condition = CONDITIONS.find((item) => item === text)
    if (condition === undefined) throw new ExitError(1, `invalid condition: ${text}`)
    const signal = flags.isSet('timeout')
      ? AbortSignal.timeout(Math.max(0, parseDuration(flags.string('timeout')) / 1e6))
      : undefined
    const errors: string[] = []
    for (const ref of args) {
      try {
        const waiting = await waitContainer(client, ref, { condition, signal })
        const { StatusCode, Error: error } = await waiting.result
        printLine(String(StatusCode))
        const isUnmet = condition === 'healthy' || condition === 'unhealthy'
        if (isUnmet && error?.Message) errors.push(error.Message)
      } catch (error) {
        if (signal?.aborted === true) throw new ExitError(TIMED_OUT, `timed out waiting for ${ref}`)
        errors.push(errorText(error))
      }
    }
    if (errors.length > 0) throw new ExitError(1, errors.join('\n'))
  },
}
