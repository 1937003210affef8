import { invalid } from '@ctr/errdefs'

export function parseFileCount(text: string): number {
  if (!/^[+-]?\d{1,9}$/.test(text)) throw invalid(`strconv.Atoi: parsing "${text}": invalid syntax`)
  const count = Number(text)
  if (count < 1) throw invalid('max-file cannot be less than 1')
  return count
}

const UNITS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/** go-units FromHumanSize: decimal units, `10m` = 10,000,000; -1 means without limit. */
export function parseSize(text: string): number {
  if (text === '-1') return -1
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)b?$/i.exec(text)
  if (match === null) throw invalid(`invalid size: '${text}'`)
  const exponent = UNITS[(match[2] ?? '').toLowerCase()] ?? 0
  return Math.trunc(Number(match[1]) * 1000 ** exponent)
}

export function parseBoolean(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw invalid(`strconv.ParseBool: parsing "${text}": invalid syntax`)
}
