import { type EngineError, invalid } from '@ctr/errdefs'
import { type HereDocument, type HereWord, hereWords, withoutTabs } from './here-document.ts'

/** One instruction as written, its continuation lines joined. */
export interface Line {
  readonly text: string
  /** Of its first line in the file, from 1. */
  readonly number: number
  readonly documents: readonly HereDocument[]
}

export interface Lines {
  readonly lines: readonly Line[]
  /** The character that continues a line and takes the meaning of the next one. */
  readonly escape: Escape
  readonly warnings: readonly string[]
}

export type Escape = '\\' | '`'

/** bufio.MaxScanTokenSize of Go: dockerd reads no longer ones. */
const MAX_LINE_CHARACTERS = 65_535

/** The instructions of a Dockerfile. moby vendor/…/buildkit/frontend/dockerfile/parser of 20.10, and of today for here-documents. */
export function readLines(file: string): Lines {
  const raw = file.replace(/^\ufeff/, '').split('\n')
  if (raw.at(-1) === '') raw.pop()
  const escape = escapeDirective(raw.map(withoutReturn))
  const continuation = escape === '\\' ? /\\[ \t]*$/ : /`[ \t]*$/
  const lines: Line[] = []
  const warnings: string[] = []
  let text: string | undefined
  let number = 0
  let hasEmpty = false
  let index = 0
  const end = (): void => {
    if (text === undefined) return
    if (hasEmpty) warnings.push(`[WARNING]: Empty continuation line found in:\n    ${text}`)
    const documents = hereWords(text).map((word) => {
      const document = readDocument(raw, index, word)
      if (document === undefined) throw failed(number, 'unterminated heredoc')
      index = document.next
      return { name: word.name, content: document.content, isExpanded: word.isExpanded }
    })
    lines.push({ text, number, documents })
    text = undefined
    hasEmpty = false
  }
  while (index < raw.length) {
    const line = withoutReturn(raw[index] ?? '')
    index += 1
    if (line.length > MAX_LINE_CHARACTERS) {
      const limit = `dockerfile line greater than maximum allowed size of ${MAX_LINE_CHARACTERS}`
      throw failed(index, limit)
    }
    if (line.trimStart().startsWith('#')) continue
    if (line.trim() === '') {
      hasEmpty ||= text !== undefined
      continue
    }
    const part = line.replace(continuation, '')
    const isOver = part === line
    if (text === undefined) {
      number = index
      // A backslash alone begins nothing that could be told from the next line.
      text = part.trimStart()
    } else text += part
    if (isOver) end()
  }
  end()
  if (warnings.length > 0) {
    warnings.push('[WARNING]: Empty continuation lines will become errors in a future release.')
  }
  return { lines, escape, warnings }
}

/** From a line on, up to the one that is its name; undefined: there is none. */
function readDocument(
  raw: readonly string[],
  from: number,
  { name, isIndented }: HereWord,
): { readonly content: string; readonly next: number } | undefined {
  for (let at = from; at < raw.length; at++) {
    const line = withoutReturn(raw[at] ?? '')
    if ((isIndented ? withoutTabs(line) : line) !== name) continue
    const content = raw
      .slice(from, at)
      .map((each) => `${each}\n`)
      .join('')
    return { content: isIndented ? withoutTabs(content) : content, next: at + 1 }
  }
  return undefined
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function failed(line: number, reason: string): EngineError {
  return invalid(`dockerfile parse error line ${line}: ${reason}`)
}

const FAILED = 'failed to parse Dockerfile'

/** `# escape=` and others are directives only before everything else. */
function escapeDirective(raw: readonly string[]): Escape {
  let escape: Escape | undefined
  for (const line of raw) {
    const directive = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line)
    if (directive === null) break
    const [, name = '', value = ''] = directive
    if (name.toLowerCase() !== 'escape') continue
    if (escape !== undefined)
      throw invalid(`${FAILED}: only one escape parser directive can be used`)
    if (value !== '\\' && value !== '`') {
      throw invalid(`${FAILED}: invalid escape token '${value}' does not match \` or \\`)
    }
    escape = value
  }
  return escape ?? '\\'
}
