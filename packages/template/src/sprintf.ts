import { goString, typeName } from './go-values.ts'

/** Go's fmt.Sprintf for the values that templates have. */
const VERB = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])/g

export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0
  const take = (): unknown => args[next++]
  const text = format.replace(
    VERB,
    (
      whole,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      verb: string,
    ) => {
      if (verb === '%') return '%'
      let wide = width === '*' ? Number(take()) : Number(width ?? 0)
      const exact =
        precision === '*'
          ? Number(take())
          : precision === undefined
            ? /\.[a-zA-Z]$/.test(whole)
              ? 0
              : undefined
            : Number(precision)
      const isLeft = flags.includes('-') || wide < 0
      wide = Math.abs(wide)
      if (next >= args.length) return `%!${verb}(MISSING)`
      const value = formatVerb(verb, take(), flags, exact)
      if (isLeft) return value.padEnd(wide)
      const isNumber = 'dfeEgGxXob'.includes(verb)
      if (!flags.includes('0') || !isNumber) return value.padStart(wide)
      const sign = /^[+-]/.exec(value)?.[0] ?? ''
      return sign + value.slice(sign.length).padStart(wide - sign.length, '0')
    },
  )
  if (next >= args.length) return text
  const extra = args.slice(next).map((value) => `${typeName(value)}=${goString(value)}`)
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function formatVerb(
  verb: string,
  value: unknown,
  flags: string,
  precision: number | undefined,
): string {
  switch (verb) {
    case 'v':
      return goString(value)
    case 's':
      if (isNoText(value)) return wrong(verb, value)
      return precision === undefined
        ? goString(value)
        : Array.from(goString(value)).slice(0, precision).join('')
    case 'q':
      return JSON.stringify(goString(value))
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong(verb, value)
    case 'T':
      return typeName(value)
    case 'd':
      return isInteger(value) ? signed(String(value), flags) : wrong(verb, value)
    case 'x':
    case 'X': {
      const text = isInteger(value)
        ? value.toString(16)
        : Buffer.from(goString(value)).toString('hex')
      return verb === 'X' ? text.toUpperCase() : text
    }
    case 'o':
      return isInteger(value) ? value.toString(8) : wrong(verb, value)
    case 'b':
      return isInteger(value) ? value.toString(2) : wrong(verb, value)
    case 'c':
      return isInteger(value) ? String.fromCodePoint(Number(value)) : wrong(verb, value)
    case 'U':
      return isInteger(value)
        ? `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
        : wrong(verb, value)
    case 'f':
    case 'F':
      return typeof value === 'number'
        ? signed(value.toFixed(precision ?? 6), flags)
        : wrong(verb, value)
    case 'e':
      return typeof value === 'number'
        ? signed(exponent(value, precision ?? 6), flags)
        : wrong(verb, value)
    case 'g':
      return typeof value === 'number' ? signed(String(value), flags) : wrong(verb, value)
    default:
      return wrong(verb, value)
  }
}

/** What Go's %s does not take: numbers, booleans, nothing. */
function isNoText(value: unknown): boolean {
  return value === null || ['number', 'bigint', 'boolean'].includes(typeof value)
}

function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
}

function signed(text: string, flags: string): string {
  if (text.startsWith('-')) return text
  if (flags.includes('+')) return `+${text}`
  return flags.includes(' ') ? ` ${text}` : text
}

function exponent(value: number, precision: number): string {
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')
}

function wrong(verb: string, value: unknown): string {
  if (value === null || value === undefined) return `%!${verb}(<nil>)`
  return `%!${verb}(${typeName(value)}=${goString(value)})`
}
