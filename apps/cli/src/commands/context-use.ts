import type { Command, Context } from '../command.ts'
import { writeConfig } from '../config/write-config.ts'
import { DEFAULT_CONTEXT, hostVariable } from '../context/current.ts'
import { ContextStore } from '../context/store.ts'
import { printError, printLine } from '../output/write.ts'

export const command: Command = {
  usage: 'CONTEXT',
  summary: 'Set the current context of ctr (not that of docker)',
  flags: [],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'All commands from now on go there', command: 'ctr context use work' },
    { text: 'Back to this machine', command: 'ctr context use default' },
  ],
  async run(context, { args }) {
    const name = args[0] as string
    if (name !== DEFAULT_CONTEXT) new ContextStore(context.configDirectory).get(name)
    keepCurrent(context, name)
    printLine(name)
    printError(`Current context is now "${name}"`)
    const variable = hostVariable(context.environment)
    if (variable === undefined || name === DEFAULT_CONTEXT) return
    printError(
      `Warning: ${variable} environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset ${variable} environment variable.`,
    )
  },
}

/** In config.json under `ctr`, so that docker keeps its own. */
export function keepCurrent({ config }: Context, name: string): void {
  const { ctr: { currentContext: _, ...others } = {}, ...values } = config.values
  const own = name === DEFAULT_CONTEXT ? others : { ...others, currentContext: name }
  writeConfig(config.path, Object.keys(own).length === 0 ? values : { ...values, ctr: own })
}
