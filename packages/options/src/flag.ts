/**
 * A command's options as data. One table drives parsing, help, completion and man pages.
 * The value syntax is that of Docker's CLI, which is pflag's (https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax).
 */
export interface Flag {
  readonly name: string
  readonly short?: string
  readonly kind: FlagKind
  readonly help: string
  /** The word after the name in help; the kind's when absent. */
  readonly value?: string
  /** Shown in help only. */
  readonly default?: string
  /** Parsed but not shown. */
  readonly hidden?: true
  /** Throws an Error with Docker's text when the value is not acceptable. */
  readonly check?: (value: string) => void
  /** What it asks for is done by the client itself: files, terminal, words about its own course. */
  readonly ofClient?: true
  /** Another spelling of this flag. */
  readonly aliasOf?: string
}

/** `list` may be given several times; `csv` also splits each value at commas. */
type FlagKind =
  | 'bool'
  | 'string'
  | 'int'
  | 'uint16'
  | 'uint64'
  | 'list'
  | 'csv'
  | 'bytes'
  | 'duration'
  | 'decimal'

/** What was given on the command line. Asking for a flag that the table does not have is a bug. */
export class FlagValues {
  readonly #known: ReadonlySet<string>
  readonly #values = new Map<string, string[]>()

  constructor(flags: readonly Flag[]) {
    this.#known = namesOf(flags)
  }

  add(flag: Flag, value: string): void {
    const name = flag.aliasOf ?? flag.name
    const isList = flag.kind === 'list' || flag.kind === 'csv'
    const values = isList ? (this.#values.get(name) ?? []) : []
    this.#values.set(name, [...values, ...(flag.kind === 'csv' ? value.split(',') : [value])])
  }

  isSet(name: string): boolean {
    return this.#of(name) !== undefined
  }

  bool(name: string): boolean {
    return TRUE.has(this.#of(name)?.[0] ?? 'false')
  }

  /** For flags that are on unless `=false` is given. */
  boolOr(name: string, otherwise: boolean): boolean {
    return this.isSet(name) ? this.bool(name) : otherwise
  }

  string(name: string): string {
    return this.#of(name)?.at(-1) ?? ''
  }

  /** Undefined when the flag was not given. */
  optional(name: string): string | undefined {
    return this.#of(name)?.at(-1)
  }

  int(name: string): number | undefined {
    const text = this.optional(name)
    return text === undefined ? undefined : Number(parseInteger(text))
  }

  list(name: string): readonly string[] {
    return this.#of(name) ?? []
  }

  #of(name: string): readonly string[] | undefined {
    if (!this.#known.has(name)) throw new Error(`the command has no flag --${name}`)
    return this.#values.get(name)
  }
}

const names = new WeakMap<readonly Flag[], ReadonlySet<string>>()

/** Made once for each table. */
function namesOf(flags: readonly Flag[]): ReadonlySet<string> {
  let known = names.get(flags)
  if (known === undefined) {
    known = new Set(flags.map((flag) => flag.name))
    names.set(flags, known)
  }
  return known
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

/** Go's strconv.ParseBool, with its error. */
export function checkBool(text: string): void {
  if (TRUE.has(text) || FALSE.has(text)) return
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

export function parseBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true
  return FALSE.has(text) ? false : undefined
}

/** Go's strconv.ParseInt with base 0: `0x1f`, `0b11`, `0o17`, `017`, underscores. */
export function checkInteger(text: string, bits: number, signed: boolean): void {
  const name = signed ? 'ParseInt' : 'ParseUint'
  const value = parseInteger(text)
  if (value === undefined || (!signed && /^[+-]/.test(text))) {
    throw new Error(`strconv.${name}: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  const max = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n
  const min = signed ? -(2n ** BigInt(bits - 1)) : 0n
  if (value > max || value < min) {
    throw new Error(`strconv.${name}: parsing ${JSON.stringify(text)}: value out of range`)
  }
}

function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|0[0-7_]*|[1-9][0-9_]*)$/.exec(
    text,
  )
  if (match === null) return undefined
  const digits = (match[2] ?? '').replaceAll('_', '')
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
  return match[1] === '-' ? -value : value
}
