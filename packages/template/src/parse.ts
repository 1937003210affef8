/** Go's text/template syntax to a tree (https://pkg.go.dev/text/template). */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipe: Pipe
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' }
  | {
      /** Absent pipe: nothing is the data. */
      readonly kind: 'template'
      readonly name: string
      readonly pipe: Pipe | undefined
      readonly at: Position
    }

export interface ParsedTemplate {
  readonly nodes: readonly Node[]
  /** Of `{{define}}` and `{{block}}`; the last one of a name counts. */
  readonly definitions: ReadonlyMap<string, readonly Node[]>
}

export interface Pipe {
  readonly variables: readonly string[]
  readonly isAssignment: boolean
  readonly commands: readonly (readonly Operand[])[]
  readonly at: Position
}

export type Operand =
  | { readonly kind: 'dot'; readonly at: Position }
  | { readonly kind: 'nil'; readonly at: Position }
  | { readonly kind: 'field'; readonly names: readonly string[]; readonly at: Position }
  | {
      readonly kind: 'variable'
      readonly name: string
      readonly names: readonly string[]
      readonly at: Position
    }
  | { readonly kind: 'function'; readonly name: string; readonly at: Position }
  | { readonly kind: 'literal'; readonly value: string | number | boolean; readonly at: Position }
  | {
      readonly kind: 'pipe'
      readonly pipe: Pipe
      readonly names: readonly string[]
      readonly at: Position
    }

/** Where, and the source text, for messages. */
export interface Position {
  readonly line: number
  readonly column: number
  readonly source: string
}

export class TemplateSyntaxError extends Error {
  override readonly name = 'TemplateSyntaxError'
}

/** Throws TemplateSyntaxError with Go's text, which begins with the template's name. */
export function parseTemplate(
  text: string,
  functions: ReadonlySet<string>,
  name: string,
): ParsedTemplate {
  return new Parser(name, scan(name, text), functions).parse()
}

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly Token[]; readonly line: number }

interface Token {
  readonly kind: 'field' | 'variable' | 'word' | 'string' | 'char' | 'number' | 'symbol' | 'space'
  readonly text: string
  readonly line: number
  readonly column: number
}

function scan(name: string, text: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let trimNext = false
  for (;;) {
    const open = text.indexOf('{{', at)
    const end = open < 0 ? text.length : open
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(text.slice(open, open + 4))
    let literal = text.slice(at, end)
    if (trimNext) literal = literal.trimStart()
    if (trimsBefore) literal = literal.trimEnd()
    if (literal !== '') pieces.push({ kind: 'text', text: literal })
    if (open < 0) return pieces
    const line = lineOf(text, open)
    const start = open + (trimsBefore ? 3 : 2)
    const { tokens, next, trimsAfter } = scanAction(name, text, start, line)
    if (tokens !== undefined) pieces.push({ kind: 'action', tokens, line })
    at = next
    trimNext = trimsAfter
  }
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length
}

const TOKEN =
  /(?<space>\s+)|(?<field>\.[\p{L}_][\p{L}\p{N}_]*)|(?<variable>\$[\p{L}\p{N}_]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?<char>'(?:[^'\\\n]|\\.)+')|(?<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))|(?<symbol>:=|[.|(),=])/uy

function scanAction(
  name: string,
  text: string,
  start: number,
  line: number,
): { tokens: Token[] | undefined; next: number; trimsAfter: boolean } {
  const comment = /\s*\/\*[\s\S]*?\*\/(\s+-)?\}\}/y
  comment.lastIndex = start
  const match = comment.exec(text)
  if (match !== null)
    return { tokens: undefined, next: comment.lastIndex, trimsAfter: match[1] !== undefined }
  const tokens: Token[] = []
  let at = start
  for (;;) {
    const close = /\s+-\}\}|\}\}/y
    close.lastIndex = at
    const closing = close.exec(text)
    if (closing !== null)
      return { tokens, next: close.lastIndex, trimsAfter: closing[0].includes('-') }
    if (at >= text.length)
      throw new TemplateSyntaxError(`template: ${name}:${line}: unclosed action`)
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)
    if (token === null) throw badCharacter(name, text, at)
    const [kind, value] = Object.entries(token.groups ?? {}).find(
      ([, item]) => item !== undefined,
    ) ?? ['space', '']
    const lineStart = text.lastIndexOf('\n', at - 1) + 1
    tokens.push({
      kind: kind as Token['kind'],
      text: value ?? '',
      line: lineOf(text, at),
      column: at - lineStart,
    })
    at = TOKEN.lastIndex
  }
}

function badCharacter(name: string, text: string, at: number): TemplateSyntaxError {
  const line = lineOf(text, at)
  const character = text[at] ?? ''
  if (character === '"' || character === '`') {
    const word = character === '"' ? 'quoted' : 'raw quoted'
    return new TemplateSyntaxError(`template: ${name}:${line}: unterminated ${word} string`)
  }
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  return new TemplateSyntaxError(
    `template: ${name}:${line}: unexpected unrecognized character in action: U+${code} '${character}'`,
  )
}

class Parser {
  readonly #name: string
  readonly #pieces: readonly Piece[]
  readonly #functions: ReadonlySet<string>
  #piece = 0
  #tokens: readonly Token[] = []
  #at = 0
  #line = 1
  #loops = 0
  #scopes: string[][] = [['$']]
  readonly #definitions = new Map<string, readonly Node[]>()

  constructor(name: string, pieces: readonly Piece[], functions: ReadonlySet<string>) {
    this.#name = name
    this.#pieces = pieces
    this.#functions = functions
  }

  parse(): ParsedTemplate {
    const { nodes, end } = this.#list(true)
    if (end !== undefined) throw this.#error(`unexpected {{${end}}}`)
    return { nodes, definitions: this.#definitions }
  }

  /** Nodes up to `{{end}}`, `{{else…}}` or the end of the text. */
  #list(isTop = false): { nodes: Node[]; end: string | undefined } {
    const nodes: Node[] = []
    while (this.#piece < this.#pieces.length) {
      const piece = this.#pieces[this.#piece++] as Piece
      if (piece.kind === 'text') {
        nodes.push(piece)
        continue
      }
      this.#tokens = piece.tokens
      this.#line = piece.line
      this.#at = 0
      this.#skipSpace()
      const word = this.#peek()?.kind === 'word' ? (this.#peek()?.text ?? '') : ''
      if (word === 'end' || word === 'else') {
        this.#at += 1
        this.#skipSpace()
        if (word === 'end') this.#expectEnd('end')
        return { nodes, end: word }
      }
      if (word === 'define' && isTop) this.#define()
      else nodes.push(this.#action(word))
    }
    return { nodes, end: undefined }
  }

  #action(word: string): Node {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        this.#at += 1
        return this.#control(word)
      case 'break':
      case 'continue':
        if (this.#loops === 0) throw this.#error(`{{${word}}} outside {{range}}`)
        this.#at += 1
        this.#expectEnd(word)
        return { kind: word }
      case 'define':
        throw this.#error('unexpected <define> in command')
      case 'block':
      case 'template':
        return this.#call(word)
      default:
        return { kind: 'action', pipe: this.#pipe('command') }
    }
  }

  /** `{{define "name"}} … {{end}}` */
  #define(): void {
    this.#at += 1
    const name = this.#templateName('define clause')
    this.#expectEnd('define clause')
    this.#definitions.set(name, this.#separateList('define clause'))
  }

  /** `{{template "name" pipeline}}`, or `{{block "name" pipeline}} … {{end}}`, which also defines it. */
  #call(kind: 'template' | 'block'): Node {
    this.#at += 1
    this.#skipSpace()
    const at = this.#position(this.#at)
    const name = this.#templateName(`${kind} clause`)
    this.#skipSpace()
    const hasPipe = this.#peek() !== undefined
    const pipe = hasPipe || kind === 'block' ? this.#pipe(`${kind} clause`) : undefined
    const node = {
      kind: 'template',
      name,
      pipe,
      at: { ...at, source: `{{template ${JSON.stringify(name)}}}` },
    } as const
    if (kind === 'block') this.#definitions.set(name, this.#separateList('block clause'))
    return node
  }

  #templateName(context: string): string {
    this.#skipSpace()
    const token = this.#peek()
    if (token?.kind !== 'string') {
      const found = token === undefined ? '"}}"' : JSON.stringify(token.text)
      throw this.#error(`unexpected ${found} in ${context}`)
    }
    this.#at += 1
    return this.#string(token.text)
  }

  /** The body of a template: it knows `$` only, and no loop goes on around it. */
  #separateList(context: string): Node[] {
    const [scopes, loops] = [this.#scopes, this.#loops]
    this.#scopes = [['$']]
    this.#loops = 0
    const { nodes, end } = this.#list()
    if (end === undefined)
      throw new TemplateSyntaxError(`template: ${this.#name}:${this.#line}: unexpected EOF`)
    if (end === 'else') throw this.#error(`unexpected {{else}} in ${context}`)
    this.#scopes = scopes
    this.#loops = loops
    return nodes
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    this.#scopes.push([])
    const pipe = this.#pipe(kind, kind === 'range')
    if (kind === 'range') this.#loops += 1
    const { nodes: body, end } = this.#list()
    if (kind === 'range') this.#loops -= 1
    const otherwise = end === 'else' ? this.#otherwise(kind) : []
    if (end === undefined)
      throw new TemplateSyntaxError(`template: ${this.#name}:${this.#line}: unexpected EOF`)
    this.#scopes.pop()
    return { kind, pipe, body, otherwise }
  }

  #otherwise(kind: 'if' | 'with' | 'range'): Node[] {
    const next = this.#peek()
    if (next?.kind === 'word' && next.text === kind && kind !== 'range') {
      // `{{else if x}}` is `{{else}}{{if x}}…{{end}}` with one end for both.
      this.#at += 1
      return [this.#control(kind)]
    }
    this.#expectEnd('else')
    const { nodes, end } = this.#list()
    if (end === undefined)
      throw new TemplateSyntaxError(`template: ${this.#name}:${this.#line}: unexpected EOF`)
    if (end === 'else') throw this.#error('expected end; found {{else}}')
    return nodes
  }

  /** Up to the end of the action, or `)` inside parentheses. */
  #pipe(context: string, isRange = false): Pipe {
    this.#skipSpace()
    const at = this.#position(this.#at)
    const { variables, isAssignment } = this.#declaration(isRange)
    const commands: Operand[][] = []
    for (;;) {
      const command = this.#command()
      if (command.length === 0) {
        throw this.#error(commands.length === 0 ? `missing value for ${context}` : 'unexpected "|"')
      }
      commands.push(command)
      if (this.#peek()?.text !== '|') break
      this.#at += 1
    }
    if (context !== 'parenthesized pipeline') this.#expectEnd(context)
    this.#scopes.at(-1)?.push(...(isAssignment ? [] : variables))
    return { variables, isAssignment, commands, at: { ...at, source: this.#source(at) } }
  }

  #declaration(isRange: boolean): { variables: string[]; isAssignment: boolean } {
    const start = this.#at
    const names: string[] = []
    for (;;) {
      const token = this.#peek()
      if (token?.kind !== 'variable') break
      this.#at += 1
      names.push(token.text)
      this.#skipSpace()
      const operator = this.#peek()?.text
      if (operator === ':=' || operator === '=') {
        this.#at += 1
        this.#skipSpace()
        return { variables: names, isAssignment: operator === '=' }
      }
      if (operator !== ',' || !isRange || names.length === 2) break
      this.#at += 1
      this.#skipSpace()
    }
    this.#at = start
    return { variables: [], isAssignment: false }
  }

  #command(): Operand[] {
    const operands: Operand[] = []
    this.#skipSpace()
    for (;;) {
      const operand = this.#operand()
      if (operand === undefined) return namedWhole(operands)
      operands.push(operand)
      const next = this.#peek()
      if (next !== undefined && next.kind !== 'space' && next.text !== '|' && next.text !== ')') {
        throw this.#error(`unexpected ${JSON.stringify(next.text)} in operand`)
      }
      this.#skipSpace()
    }
  }

  #operand(): Operand | undefined {
    const token = this.#peek()
    if (token === undefined || token.text === '|' || token.text === ')') return undefined
    const start = this.#at
    this.#at += 1
    switch (token.kind) {
      case 'field': {
        const names = [token.text.slice(1), ...this.#fields()]
        return { kind: 'field', names, at: this.#fieldPosition(start, names.length) }
      }
      case 'variable': {
        if (!this.#scopes.some((scope) => scope.includes(token.text))) {
          throw this.#error(`undefined variable ${JSON.stringify(token.text)}`)
        }
        return {
          kind: 'variable',
          name: token.text,
          names: this.#fields(),
          at: this.#position(start),
        }
      }
      case 'string':
        return { kind: 'literal', value: this.#string(token.text), at: this.#position(start) }
      case 'char':
        return {
          kind: 'literal',
          value: this.#string(`"${token.text.slice(1, -1)}"`).codePointAt(0) ?? 0,
          at: this.#position(start),
        }
      case 'number':
        return { kind: 'literal', value: number(token.text), at: this.#position(start) }
      case 'word':
        return this.#word(token.text, start)
      case 'symbol':
        return this.#symbol(token.text, start)
      case 'space':
        return undefined
    }
  }

  #word(word: string, start: number): Operand {
    const at = this.#position(start)
    if (word === 'true' || word === 'false') return { kind: 'literal', value: word === 'true', at }
    if (word === 'nil') return { kind: 'nil', at }
    if (!this.#functions.has(word))
      throw this.#error(`function ${JSON.stringify(word)} not defined`)
    return { kind: 'function', name: word, at }
  }

  #symbol(symbol: string, start: number): Operand {
    if (symbol === '.') return { kind: 'dot', at: this.#position(start) }
    if (symbol !== '(') throw this.#error(`unexpected ${JSON.stringify(symbol)} in operand`)
    const pipe = this.#pipe('parenthesized pipeline')
    if (this.#peek()?.text !== ')') throw this.#error('unclosed left paren')
    this.#at += 1
    return { kind: 'pipe', pipe, names: this.#fields(), at: this.#position(start) }
  }

  #fields(): string[] {
    const names: string[] = []
    while (this.#peek()?.kind === 'field')
      names.push((this.#tokens[this.#at++] as Token).text.slice(1))
    return names
  }

  #string(text: string): string {
    if (text.startsWith('`')) return text.slice(1, -1)
    return text.slice(1, -1).replace(ESCAPE, (whole, body: string) => {
      const simple = SIMPLE_ESCAPES[body]
      if (simple !== undefined) return simple
      if (/^[xuU]/.test(body)) return String.fromCodePoint(Number.parseInt(body.slice(1), 16))
      if (/^[0-7]{3}$/.test(body)) return String.fromCharCode(Number.parseInt(body, 8))
      throw this.#error(`invalid syntax: ${whole}`)
    })
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  #skipSpace(): void {
    while (this.#peek()?.kind === 'space') this.#at += 1
  }

  #expectEnd(context: string): void {
    this.#skipSpace()
    const token = this.#peek()
    if (token !== undefined)
      throw this.#error(`unexpected ${JSON.stringify(token.text)} in ${context}`)
  }

  #position(start: number): Position {
    const token = this.#tokens[start]
    const source = this.#tokens
      .slice(start, this.#at)
      .map((item) => item.text)
      .join('')
      .trim()
    return { line: token?.line ?? this.#line, column: token?.column ?? 0, source }
  }

  /** Go reports a chain at its second field. */
  #fieldPosition(start: number, count: number): Position {
    const position = this.#position(start)
    return count > 1
      ? { ...position, column: this.#tokens[start + 1]?.column ?? position.column }
      : position
  }

  #source(from: Position): string {
    const start = this.#tokens.findIndex(
      (token) => token.line === from.line && token.column === from.column,
    )
    return this.#tokens
      .slice(Math.max(start, 0), this.#at)
      .map((item) => item.text)
      .join('')
      .trim()
  }

  #error(message: string): TemplateSyntaxError {
    return new TemplateSyntaxError(`template: ${this.#name}:${this.#line}: ${message}`)
  }
}

/** Go names a function with its arguments where it reports what went wrong in it. */
function namedWhole(operands: readonly Operand[]): Operand[] {
  const [first, ...rest] = operands
  if (first?.kind !== 'function') return [...operands]
  const source = operands.map(({ at }) => at.source).join(' ')
  return [{ ...first, at: { ...first.at, source } }, ...rest]
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

function number(text: string): number {
  return Number(
    text
      .replaceAll('_', '')
      .replace(/^\+/, '')
      .replace(/^(-?)(0[xXbBoO])/, '$1$2'),
  )
}
