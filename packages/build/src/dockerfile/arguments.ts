import { invalid } from '@ctr/errdefs'
import type { Escape } from './lines.ts'

/** Words parted by blanks outside of quotes; quotes and escapes stay. */
export function splitWords(text: string, escape: Escape): string[] {
  const words: string[] = []
  let start: number | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? ''
    if (quote === '' && /\s/.test(char)) {
      if (start !== undefined) words.push(text.slice(start, at))
      start = undefined
      continue
    }
    start ??= at
    if (char === escape && quote !== "'") at += 1
    else if (quote === '' && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = ''
  }
  if (start !== undefined) words.push(text.slice(start))
  return words
}

/** `name=value …`, or the old form `name rest of the line`. Both still with quotes and variables. */
export function nameValues(
  text: string,
  name: string,
  escape: Escape,
): { readonly key: string; readonly value: string }[] {
  const words = splitWords(text, escape)
  const [first] = words
  if (first === undefined) throw invalid(`${name} requires at least one argument`)
  if (!first.includes('=')) {
    const [, key = '', value = ''] = /^(\S+)\s+([\s\S]*)$/.exec(text) ?? []
    if (key === '') throw new ParseError(`${name} must have two arguments`)
    return [{ key, value }]
  }
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at === -1) {
      throw new ParseError(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      )
    }
    return { key: word.slice(0, at), value: word.slice(at + 1) }
  })
}

/** What dockerd finds before it looks at what the instructions mean: told without the line. */
export class ParseError extends Error {
  override readonly name = 'ParseError'
}

/** A list of strings in JSON; undefined if it is none. What follows the list counts for nothing, as in dockerd. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined
  const list = firstJson(text)
  if (!Array.isArray(list)) return undefined
  if (list.every((item) => typeof item === 'string')) return list
  throw new ParseError('when using JSON array syntax, arrays must be comprised of strings only')
}

function firstJson(text: string): unknown {
  const whole = parse(text)
  if (whole !== undefined) return whole
  let isString = false
  for (let at = 1; at < text.length; at++) {
    const char = text[at]
    if (isString && char === '\\') at += 1
    else if (char === '"') isString = !isString
    else if (char === ']' && !isString) return parse(text.slice(0, at + 1))
  }
  return undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `--name=value` before the arguments. */
export function takeFlags(
  text: string,
  allowed: readonly string[],
): { readonly flags: Readonly<Record<string, string>>; readonly rest: string } {
  const flags: Record<string, string> = {}
  let rest = text
  while (rest.startsWith('--')) {
    const [word = ''] = /^(?:"[^"]*"|'[^']*'|[^\s"'])+/.exec(rest) ?? ['--']
    rest = rest.slice(word.length).trimStart()
    if (word === '--') break
    const [, name = '', value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? []
    if (!allowed.includes(name)) throw invalid(`Unknown flag: ${name}`)
    if (value === undefined) throw invalid(`Missing a value on flag: ${name}`)
    if (Object.hasOwn(flags, name)) throw invalid(`Duplicate flag specified: ${name}`)
    flags[name] = value.replace(/["']/g, '')
  }
  return { flags, rest }
}
