import { ARITY, FUNCTIONS, type TemplateFunction } from './functions.ts'
import { goString, isTrue, typeName } from './go-values.ts'
import { type Node, type Operand, type ParsedTemplate, type Pipe, type Position } from './node.ts'
import { parseTemplate } from './parse.ts'

/**
 * Go's text/template for `--format` and tags of logs: Docker's scripts are full of it. No npm package implements enough of it (ADR).
 * A value that is a function is a method: `{{.Label "a"}}`.
 */
export interface TemplateOptions {
  /** Of the template, in messages; empty, as Docker's --format has it. */
  readonly name?: string
  /** What to say about a field that the data does not have. */
  readonly missingField?: (name: string, value: unknown) => string
  readonly functions?: Readonly<Record<string, TemplateFunction>>
}

/** The template ran into something: message as Go prints it. */
class TemplateExecutionError extends Error {
  override readonly name = 'TemplateExecutionError'
}

export class Template {
  readonly #parsed: ParsedTemplate
  readonly #functions: Readonly<Record<string, TemplateFunction>>
  readonly #options: TemplateOptions

  /** Throws TemplateSyntaxError. */
  constructor(text: string, options: TemplateOptions = {}) {
    this.#functions = { ...FUNCTIONS, ...options.functions }
    this.#options = options
    this.#parsed = parseTemplate(text, new Set(Object.keys(this.#functions)), options.name ?? '')
  }

  /** Throws TemplateExecutionError. */
  execute(data: unknown): string {
    const { nodes, definitions } = this.#parsed
    const execution = new Execution(this.#functions, this.#options, definitions)
    execution.run(nodes, data, [['$', data]])
    return execution.output
  }
}

/** Innermost last. Entries are replaced by assignment. */
type Scope = [name: string, value: unknown][]

/** Go: 100000; what fits on the stack here. */
const MAX_DEPTH = 500

const BREAK = Symbol('break')
const CONTINUE = Symbol('continue')
type Jump = typeof BREAK | typeof CONTINUE | undefined

class Execution {
  readonly #functions: Readonly<Record<string, TemplateFunction>>
  readonly #options: TemplateOptions
  output = ''

  readonly #definitions: ParsedTemplate['definitions']
  #depth = 0

  constructor(
    functions: Readonly<Record<string, TemplateFunction>>,
    options: TemplateOptions,
    definitions: ParsedTemplate['definitions'],
  ) {
    this.#functions = functions
    this.#options = options
    this.#definitions = definitions
  }

  run(nodes: readonly Node[], dot: unknown, outer: Scope): Jump {
    const scope = [...outer]
    for (const node of nodes) {
      const jump = this.#node(node, dot, scope)
      // Assignments to outer variables must be seen outside.
      for (const [index] of outer.entries()) outer[index] = scope[index] as Scope[number]
      if (jump !== undefined) return jump
    }
    return undefined
  }

  #node(node: Node, dot: unknown, scope: Scope): Jump {
    switch (node.kind) {
      case 'text':
        this.output += node.text
        return undefined
      case 'action': {
        const value = this.#pipe(node.pipe, dot, scope)
        if (node.pipe.variables.length === 0) this.output += goString(value)
        return undefined
      }
      case 'break':
        return BREAK
      case 'continue':
        return CONTINUE
      case 'if':
      case 'with': {
        const inner = [...scope]
        const value = this.#pipe(node.pipe, dot, inner)
        const isTaken = isTrue(value)
        const jump = this.run(
          isTaken ? node.body : node.otherwise,
          isTaken && node.kind === 'with' ? value : dot,
          inner,
        )
        for (const [index] of scope.entries()) scope[index] = inner[index] as Scope[number]
        return jump
      }
      case 'range':
        return this.#range(node, dot, scope)
      case 'template': {
        const data = node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot, scope)
        this.#runTemplate(node.name, data, node.at)
        return undefined
      }
    }
  }

  /** Another template with data of its own. One that calls itself must come to an end. */
  #runTemplate(name: string, data: unknown, at: Position): void {
    const nodes = this.#definitions.get(name)
    if (nodes === undefined) throw this.#error(at, `template "${name}" not defined`)
    if (this.#depth === MAX_DEPTH) {
      throw this.#error(at, `exceeded maximum template depth (${MAX_DEPTH})`)
    }
    this.#depth += 1
    this.run(nodes, data, [['$', data]])
    this.#depth -= 1
  }

  #range(
    node: Extract<Node, { pipe: Pipe; body: readonly Node[] }>,
    dot: unknown,
    scope: Scope,
  ): Jump {
    const { pipe } = node
    const value = this.#pipe({ ...pipe, variables: [] }, dot, scope)
    const entries = rangeEntries(value)
    if (entries === undefined)
      throw this.#error(pipe.at, `range can't iterate over ${goString(value)}`)
    if (entries.length === 0) return this.run(node.otherwise, dot, scope)
    for (const [key, item] of entries) {
      const inner = [...scope]
      const [first, second] = pipe.variables
      if (second === undefined && first !== undefined) define(inner, first, item, pipe.isAssignment)
      if (second !== undefined && first !== undefined) {
        define(inner, first, key, pipe.isAssignment)
        define(inner, second, item, pipe.isAssignment)
      }
      const jump = this.run(node.body, item, inner)
      for (const [index] of scope.entries()) scope[index] = inner[index] as Scope[number]
      if (jump === BREAK) break
    }
    return undefined
  }

  #pipe(pipe: Pipe, dot: unknown, scope: Scope): unknown {
    let value: unknown
    for (const [index, command] of pipe.commands.entries()) {
      value = this.#command(command, dot, scope, index > 0 ? [value] : [])
    }
    for (const name of pipe.variables) define(scope, name, value, pipe.isAssignment)
    return value
  }

  #command(
    operands: readonly Operand[],
    dot: unknown,
    scope: Scope,
    piped: readonly unknown[],
  ): unknown {
    const [first, ...rest] = operands as [Operand, ...Operand[]]
    if (first.kind === 'function' && (first.name === 'and' || first.name === 'or')) {
      return this.#shortCircuit(first, rest, dot, scope, piped)
    }
    const args = (): unknown[] => [
      ...rest.map((operand) => this.#operand(operand, dot, scope)),
      ...piped,
    ]
    if (first.kind === 'function') {
      return this.#callFunction(first, args())
    }
    if (first.kind === 'field' || first.kind === 'variable' || first.kind === 'pipe') {
      return this.#chain(first, dot, scope, args())
    }
    if (rest.length > 0 || piped.length > 0) {
      throw this.#error(first.at, `can't give argument to non-function ${first.at.source}`)
    }
    return this.#operand(first, dot, scope)
  }

  #shortCircuit(
    { name, at }: { readonly name: string; readonly at: Position },
    operands: readonly Operand[],
    dot: unknown,
    scope: Scope,
    piped: readonly unknown[],
  ): unknown {
    this.#checkCount(at, name, operands.length + piped.length)
    let value: unknown
    for (const operand of operands) {
      value = this.#operand(operand, dot, scope)
      if (isTrue(value) === (name === 'or')) return value
    }
    return piped.length > 0 ? piped[0] : value
  }

  #operand(operand: Operand, dot: unknown, scope: Scope): unknown {
    switch (operand.kind) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'literal':
        return operand.value
      case 'function':
        return this.#callFunction(operand, [])
      case 'field':
      case 'variable':
      case 'pipe':
        return this.#chain(operand, dot, scope, [])
    }
  }

  #chain(
    operand: Extract<Operand, { names: readonly string[] }>,
    dot: unknown,
    scope: Scope,
    args: readonly unknown[],
  ): unknown {
    let value = this.#base(operand, dot, scope)
    for (const [index, name] of operand.names.entries()) {
      const isLast = index === operand.names.length - 1
      if (isMissingEntry(operand.names[index - 1], value, name)) return undefined
      value = this.#field(value, name, operand.at, isLast ? args : [])
    }
    if (operand.names.length === 0 && args.length > 0) {
      throw this.#error(operand.at, `can't give argument to non-function ${operand.at.source}`)
    }
    return value
  }

  #base(
    operand: Extract<Operand, { names: readonly string[] }>,
    dot: unknown,
    scope: Scope,
  ): unknown {
    switch (operand.kind) {
      case 'field':
        return dot
      case 'variable':
        return scope.findLast(([name]) => name === operand.name)?.[1]
      case 'pipe':
        return this.#pipe(operand.pipe, dot, scope)
    }
  }

  #field(value: unknown, name: string, at: Position, args: readonly unknown[]): unknown {
    if (value === null || value === undefined) {
      throw this.#error(at, `nil pointer evaluating interface {}.${name}`)
    }
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw this.#error(at, `can't evaluate field ${name} in type ${typeName(value)}`)
    }
    const key = Object.hasOwn(value, name) ? name : similarKey(value, name)
    if (key === undefined) {
      const message =
        this.#options.missingField?.(name, value) ??
        `map has no entry for key ${JSON.stringify(name)}`
      throw this.#error(at, message)
    }
    const item = (value as Record<string, unknown>)[key]
    if (typeof item === 'function') return this.#call(at, name, item as TemplateFunction, [...args])
    if (args.length > 0) throw this.#error(at, `${name} is not a method but has arguments`)
    return item
  }

  #callFunction(
    { name, at }: { readonly name: string; readonly at: Position },
    args: unknown[],
  ): unknown {
    this.#checkCount(at, name, args.length)
    return this.#call(at, name, this.#functions[name] as TemplateFunction, args)
  }

  #checkCount(at: Position, name: string, count: number): void {
    const arity = ARITY[name]
    if (arity === undefined) return
    const isRight = arity < 0 ? count >= -arity : count === arity
    if (isRight) return
    const wanted = arity < 0 ? `at least ${-arity}` : String(arity)
    throw this.#error(at, `wrong number of args for ${name}: want ${wanted} got ${count}`)
  }

  #call(at: Position, name: string, callee: TemplateFunction, args: unknown[]): unknown {
    try {
      return callee(...args)
    } catch (error) {
      if (error instanceof TemplateExecutionError) throw error
      const message = error instanceof Error ? error.message : String(error)
      throw this.#error(
        at,
        /^(error calling|wrong number of args)/.test(message)
          ? message
          : `error calling ${name}: ${message}`,
      )
    }
  }

  #error(at: Position, message: string): TemplateExecutionError {
    const name = this.#options.name ?? ''
    return new TemplateExecutionError(
      `template: ${name}:${at.line}:${at.column}: executing "${name}" at <${at.source}>: ${message}`,
    )
  }
}

/** Maps in Go, whose keys are anybody's: one that is missing is `<no value>`, where an unknown field is an error. */
const GO_MAPS: ReadonlySet<string> = new Set([
  'Annotations',
  'Attributes',
  'ContainerLabels',
  'DriverOpts',
  'ExposedPorts',
  'Labels',
  'Networks',
  'Options',
  'PortBindings',
  'Ports',
  'Sysctls',
  'Tmpfs',
  'Volumes',
])

function isMissingEntry(owner: string | undefined, value: unknown, name: string): boolean {
  if (owner === undefined || !GO_MAPS.has(owner)) return false
  if (value === null || value === undefined) return true
  return typeof value === 'object' && !Array.isArray(value) && !Object.hasOwn(value, name)
}

/** `{{.ID}}` finds `Id`: Go's field names and the names in JSON differ in case only. */
function similarKey(value: object, name: string): string | undefined {
  const lower = name.toLowerCase()
  return Object.keys(value).find((key) => key.toLowerCase() === lower)
}

function define(scope: Scope, name: string, value: unknown, isAssignment: boolean): void {
  const index = isAssignment ? scope.findLastIndex(([item]) => item === name) : -1
  if (index >= 0) scope[index] = [name, value]
  else scope.push([name, value])
}

function rangeEntries(value: unknown): (readonly [unknown, unknown])[] | undefined {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value.map((item: unknown, index) => [index, item])
  if (typeof value === 'number' && Number.isInteger(value)) {
    return Array.from({ length: Math.max(value, 0) }, (_, index) => [index, index])
  }
  if (typeof value !== 'object') return undefined
  return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
