const FACTORS: Readonly<Record<string, number>> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/** `--memory-swap`: as many bytes, or -1 for no limit. */
export function parseSwap(text: string): number {
  return text === '-1' ? -1 : parseBytes(text)
}

/** Binary sizes as Docker reads them (go-units RAMInBytes): `64m`, `1.5g`, `512`, `1GiB`. Throws an Error with Docker's text. */
export function parseBytes(text: string): number {
  const match = /^(-?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|-?[0-9]+\.) ?([a-zA-Z]*)$/.exec(text)
  if (match === null) throw new Error(`invalid size: '${text}'`)
  const suffix = (match[2] ?? '').toLowerCase()
  const value = Number(match[1])
  if (value < 0) throw new Error(`invalid size: '${text}'`)
  if (suffix === '') return Math.trunc(value)
  const factor = FACTORS[suffix[0] as string]
  const rest = suffix.slice(1)
  const isValid =
    factor !== undefined && (rest === '' || (suffix[0] !== 'b' && (rest === 'b' || rest === 'ib')))
  if (!isValid) throw new Error(`invalid suffix: '${match[2]}'`)
  return Math.trunc(value * 1024 ** factor)
}
