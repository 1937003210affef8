import { messageOf } from '@ctr/errdefs'
import { parseBytes } from './bytes.ts'
import { parseCpus } from './cpus.ts'
import { parseDuration } from './duration.ts'
import { checkBool, checkInteger, type Flag, FlagValues } from './flag.ts'
import { nearest } from './suggest.ts'

export interface Parsed {
  readonly flags: FlagValues
  readonly args: readonly string[]
  /** `--help` was given: nothing else counts. */
  readonly wantsHelp: boolean
}

/** A command line that does not follow the command's syntax. Exit status 125. */
export class FlagError extends Error {
  override readonly name = 'FlagError'
}

/**
 * Parses arguments as pflag does. With `interspersed` options may follow arguments, else they stop at the first one:
 * what follows the image of `run` belongs to the container.
 */
export function parseFlags(
  table: readonly Flag[],
  argv: readonly string[],
  options: { readonly interspersed: boolean },
): Parsed {
  const parser = new FlagParser(table, argv)
  return parser.parse(options.interspersed)
}

class FlagParser {
  readonly #table: readonly Flag[]
  readonly #argv: readonly string[]
  readonly #values: FlagValues
  #at = 0
  #wantsHelp = false

  constructor(table: readonly Flag[], argv: readonly string[]) {
    this.#table = table
    this.#argv = argv
    this.#values = new FlagValues(table)
  }

  parse(interspersed: boolean): Parsed {
    const args: string[] = []
    while (this.#at < this.#argv.length && !this.#wantsHelp) {
      const arg = this.#argv[this.#at++] as string
      if (arg === '--') break
      if (!arg.startsWith('-') || arg === '-') {
        args.push(arg)
        if (!interspersed) break
      } else if (arg.startsWith('--')) this.#long(arg)
      else this.#shorts(arg)
    }
    args.push(...this.#argv.slice(this.#at))
    return { flags: this.#values, args, wantsHelp: this.#wantsHelp }
  }

  #long(arg: string): void {
    const equals = arg.indexOf('=')
    const name = arg.slice(2, equals < 0 ? undefined : equals)
    if (name === '' || name.startsWith('-')) throw new FlagError(`bad flag syntax: ${arg}`)
    if (name === 'help') {
      this.#wantsHelp = true
      return
    }
    const flag = this.#table.find((item) => item.name === name)
    if (flag === undefined) throw new FlagError(`unknown flag: --${name}${this.#suggestion(name)}`)
    if (equals >= 0) this.#set(flag, arg.slice(equals + 1))
    else if (flag.kind === 'bool') this.#set(flag, 'true')
    else this.#set(flag, this.#next(`flag needs an argument: --${name}`))
  }

  #suggestion(name: string): string {
    const shown = this.#table.filter((flag) => flag.hidden !== true && flag.aliasOf === undefined)
    const found = nearest(
      name,
      shown.map((flag) => flag.name),
    )
    return found === undefined ? '' : ` (did you mean --${found}?)`
  }

  /** `-it`, `-p80:80`, `-p=80:80`, `-e KEY`. */
  #shorts(arg: string): void {
    for (let letters = arg.slice(1); letters !== ''; ) {
      const letter = letters[0] as string
      const rest = letters.slice(1)
      const flag = this.#table.find((item) => item.short === letter)
      if (flag === undefined) {
        if (letter !== 'h')
          throw new FlagError(`unknown shorthand flag: '${letter}' in -${letters}`)
        this.#wantsHelp = true
        return
      }
      if (rest.startsWith('=')) return this.#set(flag, rest.slice(1))
      if (flag.kind === 'bool') {
        this.#set(flag, 'true')
        letters = rest
        continue
      }
      if (rest !== '') return this.#set(flag, rest)
      return this.#set(flag, this.#next(`flag needs an argument: '${letter}' in -${letters}`))
    }
  }

  #next(error: string): string {
    const value = this.#argv[this.#at++]
    if (value === undefined) throw new FlagError(error)
    return value
  }

  #set(flag: Flag, value: string): void {
    try {
      checkKind(flag, value)
      flag.check?.(value)
    } catch (error) {
      const spelling =
        flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`
      const reason = messageOf(error)
      throw new FlagError(
        `invalid argument ${JSON.stringify(value)} for "${spelling}" flag: ${reason}`,
      )
    }
    this.#values.add(flag, value)
  }
}

function checkKind(flag: Flag, value: string): void {
  switch (flag.kind) {
    case 'bool':
      return checkBool(value)
    case 'int':
      return checkInteger(value, 64, true)
    case 'uint16':
      return checkInteger(value, 16, false)
    case 'uint64':
      return checkInteger(value, 64, false)
    case 'bytes':
      parseBytes(value)
      return
    case 'duration':
      parseDuration(value)
      return
    case 'decimal':
      parseCpus(value)
      return
    case 'string':
    case 'list':
    case 'csv':
      return
  }
}
