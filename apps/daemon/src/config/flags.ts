import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { EngineError } from '@ctr/errdefs'
import type { Option, OptionValue, OptionValues } from './option.ts'
import { OPTIONS } from './options.ts'

export interface Flags {
  readonly values: OptionValues
  readonly configFile: string | undefined
  readonly showsHelp: boolean
  readonly showsVersion: boolean
}

/** dockerd's command line. Throws INVALID_ARGUMENT. */
export function parseFlags(argv: readonly string[]): Flags {
  const options: ParseArgsOptionsConfig = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
    'config-file': { type: 'string' },
  }
  for (const option of OPTIONS) {
    if (option.flag === undefined) continue
    options[option.flag] = {
      type: option.kind === 'boolean' ? 'boolean' : 'string',
      multiple: REPEATED.includes(option.kind),
      ...(option.short === undefined ? {} : { short: option.short }),
    }
    if (option.kind === 'boolean') options[off(option.flag)] = { type: 'boolean' }
  }
  const args = withNegativeNumbers(argv.map(longForm)).map(withoutBooleanValue)
  const parsed = parseStrictly(args, options)
  const values = new Map<string, OptionValue>()
  for (const option of OPTIONS) {
    if (option.flag === undefined) continue
    const value = parsed[off(option.flag)] === true ? isOn(option.flag, args) : parsed[option.flag]
    if (value !== undefined) values.set(option.key, flagValue(option, value as string))
  }
  return {
    values,
    configFile: parsed['config-file'] as string | undefined,
    showsHelp: parsed['help'] === true,
    showsVersion: parsed['version'] === true,
  }
}

/** Go's flags take `--oom-score-adjust -500`, which parseArgs finds ambiguous. */
function withNegativeNumbers(args: readonly string[]): string[] {
  const isInteger = (argument = ''): boolean =>
    OPTIONS.some(({ flag, kind }) => kind === 'integer' && argument === `--${flag}`)
  return args.flatMap((argument, index) => {
    const next = args[index + 1] ?? ''
    if (isInteger(argument) && /^-\d+$/.test(next)) return [`${argument}=${next}`]
    return /^-\d+$/.test(argument) && isInteger(args[index - 1]) ? [] : [argument]
  })
}

/** Go's flags take `-H=unix:///a` as well. */
function longForm(argument: string): string {
  const match = /^-([A-Za-z])=(.*)$/s.exec(argument)
  const option = OPTIONS.find(({ short }) => short === match?.[1])
  return match === null || option === undefined ? argument : `--${option.flag}=${match[2]}`
}

/** `--debug=false`, as parseArgs sees it. Not its `--no-debug`: there are flags whose names begin so. */
function off(flag: string): string {
  return `${flag}:off`
}

/** The last one counts. */
function isOn(flag: string, args: readonly string[]): boolean {
  return args.lastIndexOf(`--${flag}`) > args.lastIndexOf(`--${off(flag)}`)
}

/** Go's flags take `--debug=true`; parseArgs wants the bare flag. strconv.ParseBool */
function withoutBooleanValue(argument: string): string {
  const match = /^--([a-z0-9-]+)=([^]*)$/.exec(argument)
  const option = OPTIONS.find(({ flag }) => flag === match?.[1])
  if (option?.flag === undefined || option.kind !== 'boolean') return argument
  if (/^(1|t|T|true|TRUE|True)$/.test(match?.[2] ?? '')) return `--${option.flag}`
  if (/^(0|f|F|false|FALSE|False)$/.test(match?.[2] ?? '')) return `--${off(option.flag)}`
  throw new EngineError('INVALID_ARGUMENT', `${argument}: must be true or false`)
}

function parseStrictly(
  argv: readonly string[],
  options: ParseArgsOptionsConfig,
): Record<string, unknown> {
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values
  } catch (error) {
    const { message } = error as Error
    throw new EngineError('INVALID_ARGUMENT', firstSentence(message), { cause: error })
  }
}

function firstSentence(message: string): string {
  return message.split(/\.\s/)[0] ?? message
}

const REPEATED: readonly Option['kind'][] = ['list', 'map', 'pools', 'nested']

function flagValue(option: Option, value: string | boolean | string[]): OptionValue {
  if (option.kind === 'integer') return integerFlag(option, String(value))
  if (!Array.isArray(value)) return value
  const pairOf = (item: string): [string, string] => keyAndValue(option, item)
  switch (option.kind) {
    case 'map':
      return Object.fromEntries(value.map(pairOf))
    case 'pools':
      return value.map((item) => poolFlag(Object.fromEntries(item.split(',').map(pairOf))))
    case 'nested':
      return nestedFlag(value.map(pairOf).map(([key, rest]) => [key, pairOf(rest)]))
    default:
      return value
  }
}

function keyAndValue(option: Option, item: string): [string, string] {
  const at = item.indexOf('=')
  if (at > 0) return [item.slice(0, at), item.slice(at + 1)]
  throw new EngineError('INVALID_ARGUMENT', `--${option.flag} ${item}: must be key=value`)
}

/** As the file has it. */
function poolFlag({ size, ...rest }: Readonly<Record<string, string>>): Record<string, unknown> {
  return { ...rest, ...(size === undefined ? {} : { size: Number(size) }) }
}

function nestedFlag(
  entries: readonly (readonly [string, readonly [string, string]])[],
): Record<string, Record<string, string>> {
  const nested: Record<string, Record<string, string>> = {}
  for (const [key, [name, value]] of entries) nested[key] = { ...nested[key], [name]: value }
  return nested
}

function integerFlag(option: Option, text: string): number {
  if (/^-?[0-9]+$/.test(text)) return Number(text)
  throw new EngineError('INVALID_ARGUMENT', `--${option.flag} ${text}: must be an integer`)
}
