/** Constants of Go's syntax, as text/template takes them. https://go.dev/ref/spec#Constants */
export function parseNumber(text: string): number {
  const digits = text.replaceAll('_', '').replace(/^[+-]/, '')
  // `017` is `0o17`.
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits)
  return text.startsWith('-') ? -value : value
}

/** Of a string in quotes or back quotes; throws what `invalid` makes of an escape that Go does not know. */
export function unquote(text: string, invalid: (escape: string) => Error): string {
  if (text.startsWith('`')) return text.slice(1, -1)
  return text.slice(1, -1).replace(ESCAPE, (whole, body: string) => {
    const simple = SIMPLE_ESCAPES[body]
    if (simple !== undefined) return simple
    if (/^[xuU]/.test(body)) return String.fromCodePoint(Number.parseInt(body.slice(1), 16))
    if (/^[0-7]{3}$/.test(body)) return String.fromCharCode(Number.parseInt(body, 8))
    throw invalid(whole)
  })
}

const ESCAPE = /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/g
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
}
