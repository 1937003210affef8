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
