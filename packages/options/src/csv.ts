/** One CSV record (RFC 4180): `a,"b,c",d`. Throws an Error with Go's encoding/csv text. */
export function parseCsv(text: string): string[] {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (text[at] === '"') {
      const { value, end } = quotedField(text, at + 1)
      fields.push(value)
      at = end
    } else {
      const comma = text.indexOf(',', at)
      const end = comma < 0 ? text.length : comma
      const value = text.slice(at, end)
      const quote = value.indexOf('"')
      if (quote >= 0)
        throw new Error(
          `parse error on line 1, column ${at + quote + 1}: bare " in non-quoted-field`,
        )
      fields.push(value)
      at = end
    }
    if (at >= text.length) return fields
    at += 1
  }
}

function quotedField(text: string, start: number): { value: string; end: number } {
  let value = ''
  for (let at = start; at < text.length; at++) {
    if (text[at] !== '"') {
      value += text[at]
      continue
    }
    if (text[at + 1] === '"') {
      value += '"'
      at += 1
      continue
    }
    if (at + 1 < text.length && text[at + 1] !== ',') {
      throw new Error(
        `parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field`,
      )
    }
    return { value, end: at + 1 }
  }
  throw new Error(
    `parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`,
  )
}
