import { invalidArgument } from './errors.ts'

/** A flag of runc's command line: `-name value`, `--name=value`; Go's flag package knows no bundles like `-it`. */
export interface Flag {
  readonly names: readonly string[]
  readonly kind: 'bool' | 'text' | 'number' | 'list'
  readonly help: string
}

export class Values {
  readonly #values: ReadonlyMap<string, string | string[]>

  constructor(values: ReadonlyMap<string, string | string[]>) {
    this.#values = values
  }

  bool(name: string): boolean {
    return this.#values.get(name) === 'true'
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return typeof value === 'string' ? value : undefined
  }

  number(name: string): number {
    return Number(this.text(name) ?? 0)
  }

  list(name: string): string[] {
    const value = this.#values.get(name)
    return Array.isArray(value) ? value : []
  }
}

export interface Parsed {
  readonly flags: Values
  readonly args: string[]
  readonly wantsHelp: boolean
}

/**
 * `isInterspersed`: flags may follow arguments (`kill ID -a`), as runc lets them where no command line of the
 * container's follows. `--` ends the flags.
 */
export function parseFlags(
  flags: readonly Flag[],
  argv: readonly string[],
  isInterspersed: boolean,
): Parsed {
  const values = new Map<string, string | string[]>()
  const args: string[] = []
  let wantsHelp = false
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (word === '--') {
      args.push(...argv.slice(i + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      args.push(...(isInterspersed ? [word] : argv.slice(i)))
      if (!isInterspersed) break
      continue
    }
    const [, name = '', inline] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    if (name === 'help' || name === 'h') {
      wantsHelp = true
      continue
    }
    const flag = flags.find((one) => one.names.includes(name))
    if (flag === undefined) throw invalidArgument(`flag provided but not defined: -${name}`)
    const value = inline ?? (flag.kind === 'bool' ? 'true' : argv[++i])
    if (value === undefined) throw invalidArgument(`flag needs an argument: -${name}`)
    store(values, flag, value)
  }
  return { flags: new Values(values), args, wantsHelp }
}

function store(values: Map<string, string | string[]>, flag: Flag, value: string): void {
  const [name = ''] = flag.names
  if (flag.kind === 'list') {
    values.set(name, [...((values.get(name) as string[] | undefined) ?? []), value])
    return
  }
  const isBad =
    (flag.kind === 'bool' && !/^(true|false)$/i.test(value)) ||
    (flag.kind === 'number' && !/^[+-]?\d{1,16}$/.test(value))
  if (isBad) throw invalidArgument(`invalid value ${JSON.stringify(value)} for flag -${name}`)
  values.set(name, flag.kind === 'bool' ? value.toLowerCase() : value)
}
