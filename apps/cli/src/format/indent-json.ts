/**
 * Re-indents JSON text without parsing it: numbers, escapes and the order of keys stay as the daemon wrote them (Go's
 * json.Indent).
 */
export function indentJson(text: string, prefix: string, indent: string): string {
  let depth = 0
  let result = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character === '"') {
      const end = stringEnd(text, at)
      result += text.slice(at, end)
      at = end - 1
    } else if (character === '{' || character === '[') {
      const close = nextNonSpace(text, at + 1)
      if (text[close] === '}' || text[close] === ']') {
        result += character + (text[close] as string)
        at = close
      } else {
        depth += 1
        result += `${character}\n${prefix}${indent.repeat(depth)}`
      }
    } else if (character === '}' || character === ']') {
      depth -= 1
      result += `\n${prefix}${indent.repeat(depth)}${character}`
    } else if (character === ',') result += `,\n${prefix}${indent.repeat(depth)}`
    else if (character === ':') result += ': '
    else if (!/\s/.test(character)) result += character
  }
  return result
}

function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function nextNonSpace(text: string, start: number): number {
  let at = start
  while (/\s/.test(text[at] ?? 'x')) at += 1
  return at
}
