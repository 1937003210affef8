import { goString, isTrue, typeName } from './go-values.ts'
import { sprintf } from './sprintf.ts'

/** Functions of text/template, and those that Docker adds (docker/cli templates/templates.go). */
export type TemplateFunction = (...args: unknown[]) => unknown

/** ECMA-262 JSON.rawJSON: a bigint is written with all its digits. */
function exactInteger(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
}

export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  // Docker's.
  json: (value) => JSON.stringify(value ?? null, exactInteger),
  split: (text, separator) => splitText(goString(text), goString(separator)),
  join: (items, separator) => listOf(items).map(goString).join(goString(separator)),
  title: (text) =>
    goString(text).replace(
      /(^|[^\p{L}\p{N}'_])(\p{L})/gu,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    ),
  lower: (text) => goString(text).toLowerCase(),
  upper: (text) => goString(text).toUpperCase(),
  pad: (text, before, after) => {
    const value = goString(text)
    return value === '' ? value : ' '.repeat(Number(before)) + value + ' '.repeat(Number(after))
  },
  truncate: (text, length) => Array.from(goString(text)).slice(0, Number(length)).join(''),
  // Go's. `and` and `or` are evaluated lazily by the executor; these serve pipelines.
  // Data has no functions but methods, which are called by their name.
  call: (callee) => {
    throw new Error(
      callee === null || callee === undefined
        ? 'call of nil'
        : `non-function of type ${typeName(callee)}`,
    )
  },
  and: (...args) => args.find((value) => !isTrue(value)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (value) => !isTrue(value),
  len: (value) => {
    if (typeof value === 'string') return Buffer.byteLength(value)
    if (Array.isArray(value)) return value.length
    if (typeof value === 'object' && value !== null) return Object.keys(value).length
    throw new Error(
      value === null || value === undefined
        ? 'len of nil pointer'
        : `len of type ${typeName(value)}`,
    )
  },
  index: (value, ...keys) => keys.reduce(indexOne, value),
  slice: (value, start, end) => {
    if (typeof value !== 'string' && !Array.isArray(value))
      throw new Error(`can't slice item of type ${typeName(value)}`)
    return sliceOf(value, Number(start ?? 0), end === undefined ? undefined : Number(end))
  },
  print: (...args) => sprint(args),
  println: (...args) => `${args.map(goString).join(' ')}\n`,
  printf: (format, ...args) => sprintf(goString(format), args),
  html: (...args) =>
    sprint(args).replace(/[&<>"'\0]/g, (character) => HTML[character] ?? character),
  js: (...args) => JSON.stringify(sprint(args)).slice(1, -1).replaceAll("'", "\\'"),
  urlquery: (...args) => encodeURIComponent(sprint(args)).replaceAll('%20', '+'),
  eq: (first, ...others) => {
    if (others.length === 0) throw new Error('missing argument for comparison')
    return others.some((other) => isEqual(first, other))
  },
  ne: (first, second) => !isEqual(first, second),
  lt: (first, second) => compare(first, second) < 0,
  le: (first, second) => compare(first, second) <= 0,
  gt: (first, second) => compare(first, second) > 0,
  ge: (first, second) => compare(first, second) >= 0,
}

/** How many arguments they take: exactly, or (negative) at least. Those that are not here take any number. */
export const ARITY: Readonly<Record<string, number>> = {
  json: 1,
  split: 2,
  join: 2,
  title: 1,
  lower: 1,
  upper: 1,
  pad: 3,
  truncate: 2,
  call: -1,
  and: -1,
  or: -1,
  not: 1,
  len: 1,
  index: -1,
  slice: -1,
  printf: -1,
  eq: -1,
  ne: 2,
  lt: 2,
  le: 2,
  gt: 2,
  ge: 2,
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\0': '\uFFFD',
}

/** Go's strings.Split: an empty separator splits into characters. */
function splitText(text: string, separator: string): string[] {
  return separator === '' ? Array.from(text) : text.split(separator)
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  if (value === null || value === undefined) return []
  throw new Error(`wrong type for value; expected []string; got ${typeName(value)}`)
}

function indexOne(container: unknown, key: unknown): unknown {
  if (Array.isArray(container) || typeof container === 'string') {
    const at = Number(key)
    if (!Number.isInteger(at))
      throw new Error(`cannot index slice/array with type ${typeName(key)}`)
    if (at < 0 || at >= container.length)
      throw new Error(`error calling index: index out of range: ${at}`)
    return typeof container === 'string' ? container.charCodeAt(at) : container[at]
  }
  if (container === null || container === undefined)
    throw new Error('error calling index: index of untyped nil')
  if (typeof container !== 'object')
    throw new Error(`error calling index: can't index item of type ${typeName(container)}`)
  const name = goString(key)
  // A missing key is the zero value of the map's values, which is empty in all of Docker's maps.
  return Object.hasOwn(container, name) ? (container as Record<string, unknown>)[name] : ''
}

/** With Go's bounds; those of a string count bytes. */
function sliceOf(value: string | unknown[], start: number, end: number | undefined): unknown {
  const items = typeof value === 'string' ? Buffer.from(value) : value
  const last = end ?? items.length
  for (const at of [start, last]) {
    if (at < 0 || at > items.length) throw new Error(`index out of range: ${at}`)
  }
  if (start > last) throw new Error(`invalid slice index: ${start} > ${last}`)
  const part = items.slice(start, last)
  return Buffer.isBuffer(part) ? part.toString() : part
}

/** fmt.Sprint: blanks between operands when neither is a string. */
function sprint(args: readonly unknown[]): string {
  let text = ''
  for (const [index, arg] of args.entries()) {
    const previous = args[index - 1]
    if (index > 0 && typeof arg !== 'string' && typeof previous !== 'string') text += ' '
    text += goString(arg)
  }
  return text
}

function isEqual(first: unknown, second: unknown): boolean {
  const a = first ?? null
  const b = second ?? null
  if (a !== null && b !== null && basicKind(a) !== basicKind(b)) {
    throw new Error('error calling eq: incompatible types for comparison')
  }
  return a === b
}

function compare(first: unknown, second: unknown): number {
  if (typeof first === 'number' && typeof second === 'number') return first - second
  if (typeof first === 'string' && typeof second === 'string')
    return first < second ? -1 : first > second ? 1 : 0
  throw new Error('incompatible types for comparison')
}

function basicKind(value: unknown): string {
  const kind = typeof value
  if (kind === 'object' || kind === 'function')
    throw new Error('error calling eq: non-comparable type')
  return kind
}
