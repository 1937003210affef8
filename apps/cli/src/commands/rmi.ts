import { removeImage } from '@ctr/client'
import { isEngineError } from '@ctr/errdefs'
import { type Command, ExitError } from '../command.ts'
import { printError, printLine } from '../output/write.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  aliases: ['ctr image rm', 'ctr image remove', 'ctr rmi'],
  flags: [
    { name: 'force', short: 'f', kind: 'bool', help: 'Force removal of the image' },
    { name: 'no-prune', kind: 'bool', help: 'Do not delete untagged parents' },
    {
      name: 'platform',
      kind: 'csv',
      help: 'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
  ],
  args: { min: 1 },
  examples: [
    { text: 'One name of an image', command: 'ctr rmi web:old' },
    { text: 'An image with all its names', command: 'ctr rmi -f 41859dcd261f' },
  ],
  async run({ client }, { flags, args }) {
    const force = flags.bool('force')
    const errors: string[] = []
    let isFatal = false
    for (const ref of args) {
      try {
        const deleted = await removeImage(client, ref, { force, noPrune: flags.bool('no-prune') })
        for (const { Deleted, Untagged } of deleted) {
          printLine(Deleted === undefined ? `Untagged: ${Untagged}` : `Deleted: ${Deleted}`)
        }
      } catch (error) {
        if (!isEngineError(error, 'NOT_FOUND')) isFatal = true
        errors.push(errorText(error))
      }
    }
    if (errors.length === 0) return
    // With -f a missing image is as good as a removed one.
    if (!force || isFatal) throw new ExitError(1, errors.join('\n'))
    printError(errors.join('\n'))
  },
}
