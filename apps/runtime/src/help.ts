import type { Command } from './command.ts'
import { COMMANDS } from './commands/index.ts'
import type { Flag } from './flags.ts'

export function commandHelp(name: string, command: Command): string {
  const options = command.flags.length === 0 ? '' : '[command options] '
  return `NAME:
   ctr-runtime ${name} - ${command.summary}

USAGE:
   ctr-runtime ${name} ${options}${command.usage}
${command.flags.length === 0 ? '' : `\nOPTIONS:\n${flagLines(command.flags)}`}`
}

export async function rootHelp(): Promise<string> {
  const { GLOBAL_FLAGS } = await import('./global-flags.ts')
  const names = Object.keys(COMMANDS)
  const width = Math.max(...names.map((name) => name.length)) + 2
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => {
      const { command } = await load()
      return `   ${name.padEnd(width)}${command.summary}\n`
    }),
  )
  return `NAME:
   ctr-runtime - Open Container Initiative runtime

USAGE:
   ctr-runtime [global options] command [command options] [arguments...]

COMMANDS:
${lines.join('')}
GLOBAL OPTIONS:
${flagLines(GLOBAL_FLAGS)}`
}

function flagLines(flags: readonly Flag[]): string {
  const left = flags.map(
    ({ names, kind }) =>
      names.map((name) => `${name.length === 1 ? '-' : '--'}${name}`).join(', ') +
      (kind === 'bool' ? '' : ' value'),
  )
  const width = Math.max(...left.map((text) => text.length)) + 2
  return flags.map(({ help }, index) => `   ${left[index]?.padEnd(width)}${help}\n`).join('')
}
