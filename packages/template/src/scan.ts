import { TemplateSyntaxError } from './node.ts'

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly Token[]; readonly line: number }

export interface Token {
  readonly kind: 'field' | 'variable' | 'word' | 'string' | 'char' | 'number' | 'symbol' | 'space'
  readonly text: string
  readonly line: number
  readonly column: number
}

export function scan(name: string, text: string): Piece[] {
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
    if (token === null) throw badCharacter(name, text, at, tokens.at(-1)?.kind)
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

function badCharacter(
  name: string,
  text: string,
  at: number,
  previous: Token['kind'] | undefined,
): TemplateSyntaxError {
  const line = lineOf(text, at)
  const character = text[at] ?? ''
  if (character === '"' || character === '`') {
    const word = character === '"' ? 'quoted' : 'raw quoted'
    return new TemplateSyntaxError(`template: ${name}:${line}: unterminated ${word} string`)
  }
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  const isInName = previous === 'field' || previous === 'variable' || previous === 'word'
  const complaint = isInName ? 'bad character' : 'unexpected unrecognized character in action:'
  return new TemplateSyntaxError(`template: ${name}:${line}: ${complaint} U+${code} '${character}'`)
}
