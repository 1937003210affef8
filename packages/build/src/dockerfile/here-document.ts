import { splitWords } from './arguments.ts'

/** Lines behind an instruction, up to one that is their name: `RUN <<EOF`. BuildKit's; dockerd's own builder has none. */
export interface HereDocument {
  readonly name: string
  /** With its line ends. */
  readonly content: string
  /** `<<EOF`, not `<<"EOF"`: a COPY puts variables in. */
  readonly isExpanded: boolean
}

/** A word that begins one. */
export interface HereWord {
  readonly name: string
  readonly isExpanded: boolean
  /** `<<-EOF`: tabs at the beginning of lines are none of the content. */
  readonly isIndented: boolean
}

const WITH_DOCUMENTS = /^(?:ONBUILD\s+)?(?:ADD|COPY|RUN)\s+(.*)$/is

/** The here-documents that an instruction wants, in order. Words of JSON are in quotes: they are none. */
export function hereWords(line: string): HereWord[] {
  const [, words = ''] = WITH_DOCUMENTS.exec(line.trim()) ?? []
  return splitWords(words, '\\').flatMap((word) => parseHereWord(word) ?? [])
}

/** Undefined: an ordinary word. */
export function parseHereWord(text: string): HereWord | undefined {
  const [, dash = '', written = ''] = /^\d*<<(-?)([^<\s]+)$/.exec(text) ?? []
  const name = written.replace(/\\(.)|["']/g, '$1')
  if (name === '') return undefined
  return { name, isExpanded: name === written, isIndented: dash !== '' }
}

export function withoutTabs(content: string): string {
  return content.replace(/^\t+/gm, '')
}
