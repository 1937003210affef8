/** Go durations: `300ms`, `1.5h`, `2h45m`, `0`. To nanoseconds. Throws an Error with Go's text. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text)
  const sign = text.startsWith('-') ? -1 : 1
  const rest = text.replace(/^[+-]/, '')
  if (rest === '0') return 0
  if (rest === '') throw new Error(`time: invalid duration ${quoted}`)
  let total = 0
  const part = /(\d+\.?\d*|\.\d+)([^\d.]*)/y
  while (part.lastIndex < rest.length) {
    const match = part.exec(rest)
    if (match === null) throw new Error(`time: invalid duration ${quoted}`)
    const unit = match[2] as string
    if (unit === '') throw new Error(`time: missing unit in duration ${quoted}`)
    const factor = UNITS[unit]
    if (factor === undefined)
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`)
    total += Number(match[1]) * factor
  }
  return sign * Math.round(total)
}
