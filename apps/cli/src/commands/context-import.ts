import type { Command } from '../command.ts'
import { unpackContext } from '../context/archive.ts'
import { ContextStore, checkNewName } from '../context/store.ts'
import { readInput } from '../input-file.ts'
import { printError, printLine } from '../output/write.ts'

export const command: Command = {
  usage: 'CONTEXT FILE|-',
  summary: 'Import a context from a tar file',
  flags: [],
  args: { min: 2, max: 2 },
  examples: [{ text: 'From a file', command: 'ctr context import work work.dockercontext' }],
  async run({ configDirectory }, { args }) {
    const [name = '', file = ''] = args
    const store = new ContextStore(configDirectory)
    checkNewName(store, name)
    const { context, tls } = await unpackContext(readInput(file))
    store.put({ ...context, Name: name }, tls)
    printLine(name)
    printError(`Successfully imported context "${name}"`)
  },
}
