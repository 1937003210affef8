import { invalid } from '@ctr/errdefs'
import type { ImageHealthcheck } from '@ctr/oci'
import { jsonWords, nameValues, ParseError, splitWords, takeFlags } from './arguments.ts'
import { parseHealthcheck } from './healthcheck.ts'
import { type HereDocument, parseHereWord } from './here-document.ts'
import type { Escape, Line } from './lines.ts'

/** Words of RUN, CMD and ENTRYPOINT: run as they are, or one text for the shell. */
export interface CommandLine {
  readonly isShell: boolean
  readonly words: readonly string[]
}

export interface KeyValue {
  readonly key: string
  readonly value: string
}

/** A line, read; variables are still in it. */
export type Instruction =
  | From
  | { readonly name: 'ARG'; readonly args: readonly (KeyValue | { readonly key: string })[] }
  | { readonly name: 'ENV'; readonly pairs: readonly KeyValue[] }
  /** `isLiteral`: of the request, not of the file. */
  | { readonly name: 'LABEL'; readonly pairs: readonly KeyValue[]; readonly isLiteral: boolean }
  | Copy
  | {
      readonly name: 'RUN'
      readonly command: CommandLine
      readonly buildKitFlag: string
      /** A here-document that says itself what runs it (`#!`): the command is its name. */
      readonly script?: HereDocument
    }
  | { readonly name: 'CMD' | 'ENTRYPOINT'; readonly command: CommandLine }
  | { readonly name: 'HEALTHCHECK'; readonly check: ImageHealthcheck }
  | { readonly name: 'MAINTAINER'; readonly value: string }
  | { readonly name: 'WORKDIR'; readonly value: string }
  | { readonly name: 'USER' | 'STOPSIGNAL' | 'ONBUILD'; readonly value: string }
  | { readonly name: 'EXPOSE' | 'VOLUME' | 'SHELL'; readonly words: readonly string[] }

export interface From {
  readonly name: 'FROM'
  readonly base: string
  readonly stage: string
  readonly platform: string
}

export interface Copy {
  readonly name: 'ADD' | 'COPY'
  readonly sources: readonly string[]
  /** Copied as files of their names. */
  readonly documents: readonly HereDocument[]
  readonly destination: string
  readonly chown: string
  readonly chmod: string
  readonly from: string
}

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  FROM: ['platform'],
  RUN: ['mount', 'network', 'security'],
  ADD: ['chown', 'chmod'],
  COPY: ['chown', 'chmod', 'from'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'retries'],
}

/** Throws INVALID_ARGUMENT with dockerd's text. */
export function parseInstruction(line: Line, escape: Escape): Instruction {
  try {
    return readLine(line, escape)
  } catch (error) {
    if (error instanceof ParseError) throw invalid(`failed to parse Dockerfile: ${error.message}`)
    const reason = error instanceof Error ? error.message : String(error)
    throw invalid(`dockerfile parse error line ${line.number}: ${reason}`)
  }
}

/** Without the number of a line. */
export function readLine({ text, documents }: Line, escape: Escape): Instruction {
  const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text.trim()) ?? []
  const name = word.toUpperCase()
  const { flags, rest: words } = takeFlags(rest.trim(), FLAGS[name] ?? [])
  return read(name, flags, words, { escape, documents })
}

function read(
  name: string,
  flags: Readonly<Record<string, string>>,
  text: string,
  { escape, documents }: { readonly escape: Escape } & Pick<Line, 'documents'>,
): Instruction {
  switch (name) {
    case 'FROM':
      return readFrom(flags, text)
    case 'ARG':
      return { name, args: readArgs(text, escape) }
    case 'ENV':
      return { name, pairs: readPairs(name, text, escape) }
    case 'LABEL':
      return { name, pairs: readPairs(name, text, escape), isLiteral: false }
    case 'ADD':
    case 'COPY':
      return readCopy(name, flags, text, documents)
    case 'RUN': {
      const [buildKitFlag = ''] = Object.keys(flags)
      if (text === '') throw invalid('RUN requires at least one argument')
      return { name, ...readRun(text, documents), buildKitFlag }
    }
    case 'CMD':
      return { name, command: readCommand(text) }
    case 'ENTRYPOINT': {
      // Nothing is an empty list, not an empty line for the shell.
      const command = text === '' ? { isShell: false, words: [] } : readCommand(text)
      return { name, command }
    }
    case 'HEALTHCHECK':
      return { name, check: parseHealthcheck(flags, text) }
    case 'MAINTAINER':
    case 'USER':
    case 'WORKDIR':
    case 'STOPSIGNAL':
      if (text === '') throw invalid(`${name} requires exactly one argument`)
      return { name, value: text }
    case 'ONBUILD':
      return readOnBuild(text, documents)
    case 'EXPOSE': {
      const words = text.split(/\s+/).filter((word) => word !== '')
      if (words.length === 0) throw invalid('EXPOSE requires at least one argument')
      return { name, words: words.sort() }
    }
    case 'VOLUME':
      return { name, words: readVolumes(text) }
    case 'SHELL': {
      const words = text === '' ? [] : jsonWords(text)
      if (words === undefined) {
        throw invalid('SHELL requires the arguments to be in JSON form')
      }
      if (words.length === 0) throw invalid('SHELL requires at least one argument')
      return { name, words }
    }
    default:
      throw invalid(`unknown instruction: ${name}`)
  }
}

function readFrom(flags: Readonly<Record<string, string>>, text: string): From {
  const words = text.split(/\s+/).filter((word) => word !== '')
  const [base = '', as, stage = ''] = words
  const platform = flags['platform'] ?? ''
  if (words.length === 1) return { name: 'FROM', base, stage: '', platform }
  if (words.length !== 3 || as?.toLowerCase() !== 'as') {
    throw invalid('FROM requires either one or three arguments')
  }
  if (!/^[a-z][a-z0-9-_.]*$/.test(stage.toLowerCase())) {
    throw invalid(
      `invalid name for build stage: ${JSON.stringify(stage)}, name can't start with a number or contain symbols`,
    )
  }
  return { name: 'FROM', base, stage: stage.toLowerCase(), platform }
}

function readArgs(text: string, escape: Escape): (KeyValue | { readonly key: string })[] {
  const words = splitWords(text, escape)
  if (words.length === 0) throw invalid('ARG requires at least one argument')
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at === 0) throw invalid('ARG names can not be blank')
    return at === -1 ? { key: word } : { key: word.slice(0, at), value: word.slice(at + 1) }
  })
}

function readPairs(name: string, text: string, escape: Escape): KeyValue[] {
  const pairs = nameValues(text, name, escape)
  if (pairs.some(({ key }) => key === '')) throw invalid(`${name} names can not be blank`)
  return pairs
}

function readCopy(
  name: 'ADD' | 'COPY',
  flags: Readonly<Record<string, string>>,
  text: string,
  documents: readonly HereDocument[],
): Copy {
  const words = jsonWords(text) ?? text.split(/\s+/).filter((word) => word !== '')
  const destination = words.at(-1)
  if (words.length < 2 || destination === undefined) {
    const reason = 'but only one was provided. Destination could not be determined'
    throw invalid(`${name} requires at least two arguments, ${reason}`)
  }
  const { chown = '', chmod = '', from = '' } = flags
  const sources = words.slice(0, -1)
  const paths = documents.length === 0 ? sources : sources.filter((word) => !parseHereWord(word))
  return { name, sources: paths, documents, destination, chown, chmod, from }
}

/** A here-document alone is the command; with other words the shell is to read it. */
function readRun(
  text: string,
  documents: readonly HereDocument[],
): { readonly command: CommandLine; readonly script?: HereDocument } {
  const [first] = documents
  if (first === undefined) return { command: readCommand(text) }
  if (parseHereWord(text) === undefined) {
    const bodies = documents.map(({ name, content }) => `\n${content}${name}`)
    return { command: { isShell: true, words: [text + bodies.join('')] } }
  }
  if (!first.content.startsWith('#!')) {
    return { command: { isShell: true, words: [first.content] } }
  }
  return { command: { isShell: false, words: [`${SCRIPTS}/${first.name}`] }, script: first }
}

/** Where a script is while it runs. */
export const SCRIPTS = '/dev/pipes'

function readCommand(text: string): CommandLine {
  const words = jsonWords(text)
  if (words !== undefined) return { isShell: false, words }
  return { isShell: true, words: text === '' ? [] : [text] }
}

function readVolumes(text: string): string[] {
  const words = jsonWords(text) ?? text.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) throw invalid('VOLUME requires at least one argument')
  const paths = words.map((word) => word.trim())
  if (paths.includes('')) throw invalid('VOLUME specified can not be an empty string')
  return paths
}

function readOnBuild(text: string, documents: readonly HereDocument[]): Instruction {
  const [trigger = ''] = text.split(/\s/)
  switch (trigger.toUpperCase()) {
    case '':
      throw invalid('ONBUILD requires at least one argument')
    case 'ONBUILD':
      throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    case 'MAINTAINER':
    case 'FROM':
      throw invalid(`${trigger.toUpperCase()} isn't allowed as an ONBUILD trigger`)
    default:
      return {
        name: 'ONBUILD',
        value: [text, ...documents.map(({ name, content }) => content + name)].join('\n'),
      }
  }
}
