import { removeContainer } from '@ctr/client'
import { isEngineError } from '@ctr/errdefs'
import type { Command } from '../command.ts'
import { printError, printLine } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { eachTarget } from '../targets.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove one or more containers',
  aliases: ['ctr container rm', 'ctr container remove', 'ctr rm'],
  flags: [
    {
      name: 'force',
      short: 'f',
      kind: 'bool',
      help: 'Force the removal of a running container (uses SIGKILL)',
    },
    { name: 'link', short: 'l', kind: 'bool', help: 'Remove the specified link' },
    {
      name: 'volumes',
      short: 'v',
      kind: 'bool',
      help: 'Remove anonymous volumes associated with the container',
    },
  ],
  args: { min: 1 },
  examples: [
    { text: 'With its volumes, running or not', command: 'ctr rm -fv web' },
    { text: 'All that have ended', command: 'ctr rm $(ctr ps -aq --filter status=exited)' },
  ],
  run: ({ client }, { flags, args }) => {
    const force = flags.bool('force')
    const options = { force, volumes: flags.bool('volumes'), link: flags.bool('link') }
    const missing = new Set<string>()
    const remove = async (ref: string): Promise<void> => {
      try {
        if (/^\/*$/.test(ref)) throw new Error('container name cannot be empty')
        await removeContainer(client, ref.replace(/^\//, ''), options)
      } catch (error) {
        // With -f the aim is reached: docker says so and goes on with status 0.
        if (!force || !isEngineError(error, 'NOT_FOUND')) throw error
        missing.add(ref)
        printError(errorText(error))
      }
    }
    return eachTarget(args, remove, (ref) => {
      if (!missing.has(ref)) printLine(ref)
    })
  },
}
