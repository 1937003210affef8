import { parseNumber, unquote } from './literal.ts'
import {
  type Node,
  type Operand,
  type ParsedTemplate,
  type Pipe,
  type Position,
  TemplateSyntaxError,
} from './node.ts'
import { type Piece, scan, type Token } from './scan.ts'

/** Throws TemplateSyntaxError with Go's text, which begins with the template's name. */
export function parseTemplate(
  text: string,
  functions: ReadonlySet<string>,
  name: string,
): ParsedTemplate {
  return new Parser(name, scan(name, text), functions).parse()
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
        return { kind: 'literal', value: parseNumber(token.text), at: this.#position(start) }
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
    return unquote(text, (escape) => this.#error(`invalid syntax: ${escape}`))
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
