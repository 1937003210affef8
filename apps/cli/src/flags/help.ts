import type { Flag } from '@ctr/options'
import type { Command } from '../command.ts'

/** `Usage:  ctr run [OPTIONS] IMAGE [COMMAND] [ARG...]`; further forms on lines of their own. */
export function usageLines(commandPath: string, usage: string): string {
  const [first = '', ...others] = usage.split('\n')
  const forms = others.map((form) => `\n\t${commandPath} ${form}`)
  return `Usage:  ${`${commandPath} ${first}`.trimEnd()}${forms.join('')}`
}

export function commandHelp(commandPath: string, command: Command, columns: number): string {
  const parts = [usageLines(commandPath, command.usage), command.summary]
  if (command.aliases !== undefined) parts.push(`Aliases:\n  ${command.aliases.join(', ')}`)
  const visible = command.flags.filter((flag) => flag.hidden !== true && flag.aliasOf === undefined)
  if (visible.length > 0) parts.push(`Options:\n${flagsHelp(visible, columns)}`)
  if (command.examples !== undefined) {
    const examples = command.examples.map(({ text, command: line }) => `  # ${text}\n  ${line}`)
    parts.push(`Examples:\n${examples.join('\n\n')}`)
  }
  return `${parts.join('\n\n')}\n`
}

export function flagsHelp(flags: readonly Flag[], columns: number): string {
  const rows = flags
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => ({ left: flagSpelling(flag), right: flagText(flag) }))
  const width = Math.max(...rows.map((row) => row.left.length)) + 3
  return rows.map((row) => row.left.padEnd(width) + wrap(row.right, width, columns)).join('\n')
}

function flagSpelling(flag: Flag): string {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `
  const word = flagValueWord(flag)
  return `  ${short}--${flag.name}${word === '' ? '' : ` ${word}`}`
}

/** What stands for the value in help; empty for options without one. */
export function flagValueWord(flag: Flag): string {
  return flag.value ?? VALUE_WORDS[flag.kind]
}

const VALUE_WORDS: Readonly<Record<Flag['kind'], string>> = {
  bool: '',
  string: 'string',
  int: 'int',
  uint16: 'uint16',
  uint64: 'uint',
  list: 'list',
  csv: 'strings',
  bytes: 'bytes',
  duration: 'duration',
  decimal: 'decimal',
}

function flagText(flag: Flag): string {
  if (flag.default === undefined) return flag.help
  const quoted = flag.kind === 'string' ? JSON.stringify(flag.default) : flag.default
  return `${flag.help} (default ${quoted})`
}

/** Breaks at blanks so that lines fit; a line break in the text stays. */
function wrap(text: string, indent: number, columns: number): string {
  const room = columns - 1 - indent
  if (room < 24) return text.replaceAll('\n', `\n${' '.repeat(indent)}`)
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > room) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
