import { type Command, ExitError } from '../command.ts'
import { DEFAULT_CONTEXT } from '../context/current.ts'
import { ContextStore } from '../context/store.ts'
import { eachTarget } from '../targets.ts'
import { keepCurrent } from './context-use.ts'

export const command: Command = {
  usage: 'CONTEXT [CONTEXT...]',
  summary: 'Remove one or more contexts',
  aliases: ['ctr context rm', 'ctr context remove'],
  flags: [
    { name: 'force', short: 'f', kind: 'bool', help: 'Force the removal of a context in use' },
  ],
  args: { min: 1 },
  examples: [{ text: 'Remove one', command: 'ctr context rm work' }],
  async run(context, { flags, args }) {
    const store = new ContextStore(context.configDirectory)
    const inUse = context.contextName
    const force = flags.bool('force')
    await eachTarget(args, async (name) => {
      if (name === DEFAULT_CONTEXT) throw new ExitError(1, 'context "default" cannot be removed')
      if (!force && !store.has(name)) throw new ExitError(1, `context "${name}" does not exist`)
      if (name === inUse) {
        if (!force) {
          throw new ExitError(1, `context "${name}" is in use, set -f flag to force remove`)
        }
        keepCurrent(context, DEFAULT_CONTEXT)
      }
      store.remove(name)
    })
  },
}
