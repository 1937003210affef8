import { existsSync } from 'node:fs'
import { type Command, ExitError } from '../command.ts'
import { packContext } from '../context/archive.ts'
import { ContextStore } from '../context/store.ts'
import { isTerminal } from '../node-modules.ts'
import { writeStream } from '../output/file.ts'
import { printError } from '../output/write.ts'

export const command: Command = {
  usage: 'CONTEXT [FILE|-]',
  summary: 'Export a context to a tar archive FILE or a tar stream on STDOUT.',
  flags: [],
  args: { min: 1, max: 2 },
  examples: [{ text: 'Into a file', command: 'ctr context export work work.dockercontext' }],
  async run({ configDirectory }, { args }) {
    const [name = '', file = `${name}.dockercontext`] = args
    const store = new ContextStore(configDirectory)
    const context = store.get(name)
    if (file === '-') {
      if (isTerminal(1)) {
        throw new ExitError(1, 'cowardly refusing to export to a terminal, specify a file path')
      }
    } else if (existsSync(file)) {
      throw new ExitError(1, `open ${file}: file exists`)
    }
    await writeStream(packContext({ context, tls: store.tls(name) }), file === '-' ? '' : file)
    if (file !== '-') printError(`Written file "${file}"`)
  },
}
