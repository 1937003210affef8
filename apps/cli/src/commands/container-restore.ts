import { importCheckpoint, removeCheckpoint, startContainer } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { readUpload } from '../input-file.ts'
import { printError, printLine } from '../output/write.ts'
import { OWN_CHECKPOINT } from './container-checkpoint.ts'

export const command: Command = {
  usage: '[OPTIONS] [CONTAINER]',
  summary: 'Restore a container from a checkpoint, or from the file of one',
  aliases: ['ctr container restore'],
  flags: [
    {
      name: 'import',
      short: 'i',
      kind: 'string',
      value: 'file',
      help: 'Make the container of this file ("-": standard input)',
    },
    { name: 'keep', short: 'k', kind: 'bool', help: 'Keep the checkpoint' },
    {
      name: 'name',
      short: 'n',
      kind: 'string',
      value: 'name',
      help: 'Name of the container that is made (with --import)',
    },
  ],
  args: { min: 0, max: 1 },
  examples: [
    { text: 'From a checkpoint in a file', command: 'ctr container restore --import web.tar' },
  ],
  async run({ client }, { flags, args }) {
    const file = flags.string('import')
    const [container] = args
    if ((file === '') === (container === undefined))
      throw new ExitError(1, 'either a container or a file (--import) is needed')
    const keep = flags.bool('keep')
    if (container === undefined) {
      const options = { name: flags.optional('name'), keep }
      const { Id: id, Warnings: warnings } = await importCheckpoint(
        client,
        readUpload(file).body,
        options,
      )
      for (const warning of warnings) printError(`WARNING: ${warning}`)
      printLine(id)
      return
    }
    if (flags.optional('name') !== undefined) throw new ExitError(1, '--name needs --import')
    await startContainer(client, container, { checkpoint: OWN_CHECKPOINT })
    if (!keep) await removeCheckpoint(client, container, OWN_CHECKPOINT, undefined)
    printLine(container)
  },
}
