import { Client } from '@ctr/client'
import { type Flag, parseFlags } from '@ctr/options'
import type { Command, Context } from '../command.ts'
import { COMMANDS, type Entry } from '../commands/index.ts'
import { resolveCommand } from '../commands/resolve.ts'
import { daemonHost } from '../config/daemon-host.ts'
import { currentContext } from '../context/current.ts'
import { GLOBAL_FLAGS } from '../global-flags.ts'
import { liveNames, type NameKind } from './names.ts'
import { SCRIPTS } from './scripts.ts'
import { ARGUMENTS, FILTER_KEYS, FLAG_NAMES, FLAG_WORDS } from './table.ts'

interface Candidate {
  readonly word: string
  readonly help?: string
}

export interface Completion {
  readonly candidates: readonly Candidate[]
  /** The shell should offer files as well. */
  readonly files: boolean
}

const NOTHING: Completion = { candidates: [], files: false }

/** What can stand for the last of the words, which is not complete yet; `ctr` itself is not among them. */
export async function complete(words: readonly string[], context: Context): Promise<Completion> {
  const current = words.at(-1) ?? ''
  const { flags: globalWords, rest } = splitGlobals(words.slice(0, -1))
  if (rest === undefined)
    return flagValue(globalWords.at(-1) ?? '', GLOBAL_FLAGS, '', current, context, [])
  const { entry, path, rest: after } = resolveCommand(rest)
  if (entry === undefined || entry.kind === 'group') {
    if (after.length > 0) return NOTHING
    if (current.startsWith('-')) {
      return { candidates: entry === undefined ? flagNames(GLOBAL_FLAGS) : [], files: false }
    }
    return {
      candidates: commandNames(entry === undefined ? COMMANDS : entry.children),
      files: false,
    }
  }
  const { command } = await entry.load()
  return argument(command, path.slice('ctr '.length), after, current, context, globalWords)
}

/** Options before the command, and what follows them; no rest: the last option waits for its value. */
function splitGlobals(words: readonly string[]): {
  flags: readonly string[]
  rest: readonly string[] | undefined
} {
  let at = 0
  while (words[at]?.startsWith('-') === true) {
    const takesValue = waitsForValue(GLOBAL_FLAGS, words[at] ?? '')
    at += takesValue === undefined ? 1 : 2
  }
  if (at > words.length) return { flags: words, rest: undefined }
  return { flags: words.slice(0, at), rest: words.slice(at) }
}

async function argument(
  command: Command,
  path: string,
  words: readonly string[],
  current: string,
  context: Context,
  globals: readonly string[],
): Promise<Completion> {
  const stopsAtArgument = command.interspersed === false
  let position = 0
  let isFlagAllowed = true
  let waiting: Flag | undefined
  for (const word of words) {
    if (waiting !== undefined) waiting = undefined
    else if (!isFlagAllowed || !word.startsWith('-') || word === '-') {
      position += 1
      if (stopsAtArgument) isFlagAllowed = false
    } else if (word === '--') isFlagAllowed = false
    else waiting = waitsForValue(command.flags, word)
  }
  if (waiting !== undefined) {
    return flagValue(`--${waiting.name}`, command.flags, path, current, context, globals)
  }
  if (isFlagAllowed && current.startsWith('-')) {
    const equals = current.indexOf('=')
    if (equals < 0) return { candidates: flagNames(command.flags), files: false }
    const name = current.slice(0, equals)
    const value = current.slice(equals + 1)
    const found = await flagValue(name, command.flags, path, value, context, globals)
    const candidates = found.candidates.map((each) => ({ ...each, word: `${name}=${each.word}` }))
    return { candidates, files: found.files }
  }
  if (path === 'completion') {
    return { candidates: Object.keys(SCRIPTS).map((word) => ({ word })), files: false }
  }
  const kinds = argumentKinds(path)
  const { max } = command.args
  if (max !== undefined && position >= max) return NOTHING
  const kind = kinds[Math.min(position, kinds.length - 1)]
  if (kind === undefined) return NOTHING
  return named(kind, context, globals)
}

/** `container rm` is as `rm`. */
function argumentKinds(path: string): readonly NameKind[] {
  return ARGUMENTS[path] ?? ARGUMENTS[path.replace(/^(container|image) /, '')] ?? []
}

async function flagValue(
  spelling: string,
  flags: readonly Flag[],
  path: string,
  current: string,
  context: Context,
  globals: readonly string[],
): Promise<Completion> {
  const flag = findFlag(flags, spelling)
  if (flag === undefined) return NOTHING
  const name = flag.aliasOf ?? flag.name
  if (name === 'filter') {
    const key = path
      .replace(/^container (ls|list|ps)$/, 'ps')
      .replace(/^image (ls|list)$/, 'images')
    return {
      candidates: (FILTER_KEYS[key] ?? []).map((word) => ({ word: `${word}=` })),
      files: false,
    }
  }
  const words = FLAG_WORDS[name]
  if (words !== undefined) return { candidates: words.map((word) => ({ word })), files: false }
  if (name === 'env') {
    const candidates = Object.keys(context.environment).map((word) => ({ word }))
    return { candidates, files: false }
  }
  const kind = FLAG_NAMES[name]
  if (kind === undefined) return NOTHING
  if (name === 'volume' && /^[./~]/.test(current)) return { candidates: [], files: true }
  return named(kind, context, globals)
}

async function named(
  kind: NameKind,
  context: Context,
  globals: readonly string[],
): Promise<Completion> {
  if (kind === 'file') return { candidates: [], files: true }
  const names = await namesOf(kind, context, globals).catch(() => []) // no daemon, no names
  return { candidates: names.map((word) => ({ word })), files: false }
}

async function namesOf(
  kind: Exclude<NameKind, 'file'>,
  context: Context,
  globals: readonly string[],
): Promise<readonly string[]> {
  return liveNames(kind, clientOf(context, globals), context.configDirectory)
}

/** With the options that stand before the command which is completed. */
function clientOf(context: Context, globals: readonly string[]): Client {
  const { flags } = parseFlags(GLOBAL_FLAGS, globals, { interspersed: false })
  const { environment, configDirectory } = context
  const name = currentContext(flags, environment, configDirectory)
  return new Client({ host: daemonHost(flags, environment, configDirectory, name) })
}

/** The option that a word leaves without its value. */
function waitsForValue(flags: readonly Flag[], word: string): Flag | undefined {
  if (word.includes('=')) return undefined
  if (word.startsWith('--')) {
    const flag = findFlag(flags, word)
    return flag?.kind === 'bool' ? undefined : flag
  }
  // `-it` are two, `-p80:80` has its value.
  for (const [index, letter] of word.slice(1).split('').entries()) {
    const flag = flags.find(({ short }) => short === letter)
    if (flag === undefined) return undefined
    if (flag.kind !== 'bool') return index === word.length - 2 ? flag : undefined
  }
  return undefined
}

function findFlag(flags: readonly Flag[], spelling: string): Flag | undefined {
  return spelling.startsWith('--')
    ? flags.find(({ name }) => name === spelling.slice(2))
    : flags.find(({ short }) => short === spelling.at(-1))
}

function flagNames(flags: readonly Flag[]): Candidate[] {
  return flags
    .filter(({ hidden, aliasOf }) => hidden !== true && aliasOf === undefined)
    .map(({ name, help }) => ({ word: `--${name}`, help }))
}

function commandNames(children: Readonly<Record<string, Entry>>): Candidate[] {
  return Object.entries(children)
    .filter(([, entry]) => entry.kind === 'group' || !entry.isHidden)
    .map(([word, { summary }]) => ({ word, help: summary }))
}
