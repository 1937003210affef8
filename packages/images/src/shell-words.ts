import { EngineError } from '@ctr/errdefs'

/** Words of a Dockerfile line: separated by blanks outside quotes. Quotes stay for `expandWord` to remove, or all is taken off here. */
export function splitWords(text: string, options: { keepQuotes?: boolean } = {}): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  let isWord = false
  for (let index = 0; index < text.length; index++) {
    const char = text[index] ?? ''
    if (quote === '' && /\s/.test(char)) {
      if (isWord) words.push(word)
      word = ''
      isWord = false
      continue
    }
    isWord = true
    if (char === '\\' && quote !== "'" && index + 1 < text.length) {
      index += 1
      word += options.keepQuotes === true ? `\\${text[index]}` : text[index]
      continue
    }
    const isQuote = quote === '' ? char === '"' || char === "'" : char === quote
    if (isQuote) quote = quote === '' ? char : ''
    if (!isQuote || options.keepQuotes === true) word += char
  }
  if (isWord) words.push(word)
  return words
}

/** Removes quotes and replaces `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}`; single quotes keep everything. */
export function expandWord(text: string, env: ReadonlyMap<string, string>): string {
  let result = ''
  let index = 0
  let isDouble = false
  while (index < text.length) {
    const char = text[index] ?? ''
    if (char === "'" && !isDouble) {
      const end = text.indexOf("'", index + 1)
      if (end === -1) throw unbalanced(text)
      result += text.slice(index + 1, end)
      index = end + 1
    } else if (char === '"') {
      isDouble = !isDouble
      index += 1
    } else if (char === '\\' && index + 1 < text.length) {
      const next = text[index + 1] ?? ''
      // Inside double quotes a backslash is special before `$`, `"` and itself only.
      result += isDouble && !'$"\\'.includes(next) ? `\\${next}` : next
      index += 2
    } else if (char === '$') {
      const { value, length } = variable(text.slice(index), env)
      result += value
      index += length
    } else {
      result += char
      index += 1
    }
  }
  if (isDouble) throw unbalanced(text)
  return result
}

function variable(
  text: string,
  env: ReadonlyMap<string, string>,
): { value: string; length: number } {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])/.exec(text)
  if (plain !== null) return { value: env.get(plain[1] ?? '') ?? '', length: plain[0].length }
  if (!text.startsWith('${')) return { value: '$', length: 1 }
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\}/.exec(text)
  if (braced === null) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `unsupported modifier or missing } in substitution: ${text}`,
    )
  }
  const [whole, name = '', operator, word = ''] = braced
  const value = env.get(name) ?? ''
  const length = whole.length
  if (operator === '-') return { value: value === '' ? expandWord(word, env) : value, length }
  if (operator === '+') return { value: value === '' ? '' : expandWord(word, env), length }
  return { value, length }
}

function unbalanced(text: string): EngineError {
  return new EngineError(
    'INVALID_ARGUMENT',
    `unexpected end of statement while looking for matching quote: ${text}`,
  )
}
