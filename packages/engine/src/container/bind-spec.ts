import { posix } from 'node:path'
import { type EngineError, invalid } from '@ctr/errdefs'

/** `-v`, taken apart: `[source:]destination[:options]`. */
export interface BindSpec {
  /** Empty: an anonymous volume. With a leading slash a host path, else the name of a volume. */
  readonly source: string
  readonly destination: string
  /** The option words as given; Docker's `Mode`. */
  readonly mode: string
  readonly options: MountOptions
}

interface MountOptions {
  readonly readOnly: boolean
  readonly noCopy: boolean
  /** Empty: not given. */
  readonly propagation: string
}

const PROPAGATIONS = ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared']
/** One word at most of each kind. moby volume/mounts/linux_parser.go */
const KINDS: readonly (readonly string[])[] = [
  ['rw', 'ro'],
  ['nocopy'],
  ['z', 'Z'],
  ['consistent', 'cached', 'delegated'],
  PROPAGATIONS,
  ['idmap'],
]
/** Not Docker's: the owner of the source as the container sees it. */
const OWNER = /^([ug]id)=\d{1,9}$/

/** INVALID_ARGUMENT with Docker's texts. */
export function parseBind(text: string): BindSpec {
  const parts = text.split(':')
  const [first = '', second = '', third = ''] = parts
  if (first === '' || parts.length > 3 || text.includes('\0')) throw invalidSpec(text)
  if (parts.length === 1) return bind(text, '', first, '')
  if (second === '') throw invalidSpec(text)
  if (parts.length === 2) {
    // Destination and mode are not enough, /foo:rw.
    if (parseMountOptions(second) !== undefined) throw invalidSpec(text)
    return bind(text, first, second, '')
  }
  return bind(text, first, second, third)
}

function bind(text: string, source: string, destination: string, mode: string): BindSpec {
  const options = parseMountOptions(mode)
  if (options === undefined) throw invalid(`invalid mode: ${mode}`)
  try {
    const isHostPath = source.startsWith('/')
    if (isHostPath && options.noCopy) {
      throw invalid(
        'invalid mount config for type "bind": field VolumeOptions must not be specified',
      )
    }
    if (!isHostPath && options.propagation !== '') {
      throw invalid(
        'invalid mount config for type "volume": field BindOptions must not be specified',
      )
    }
    return {
      source: source.startsWith('/') ? posix.normalize(source) : source,
      destination: bindDestination(source, destination),
      mode,
      options,
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : ''
    throw invalid(`invalid volume specification: '${text}': ${reason}`)
  }
}

/** A path of the host has been told apart before; for a volume Docker names the kind of mount as well. */
function bindDestination(source: string, destination: string): string {
  if (source.startsWith('/') || destination.startsWith('/')) return cleanDestination(destination)
  throw invalid(
    `invalid mount config for type "volume": invalid mount path: '${destination}' mount path must be absolute`,
  )
}

/** Undefined: not a list of option words. */
function parseMountOptions(mode: string): MountOptions | undefined {
  const options = { readOnly: false, noCopy: false, propagation: '' }
  if (mode === '') return options
  const kindsSeen = new Set<number | string>()
  for (const word of mode.split(',')) {
    const owner = OWNER.exec(word)?.[1]
    const kind = owner ?? KINDS.findIndex((words) => words.includes(word))
    if (kind === -1 || kindsSeen.has(kind)) return undefined
    kindsSeen.add(kind)
    if (word === 'ro') options.readOnly = true
    if (word === 'nocopy') options.noCopy = true
    if (PROPAGATIONS.includes(word)) options.propagation = word
  }
  return options
}

export function isPropagation(word: string): boolean {
  return PROPAGATIONS.includes(word)
}

/** A clean absolute path that is not the root. */
export function cleanDestination(destination: string): string {
  if (!destination.startsWith('/')) {
    throw invalid(`invalid mount path: '${destination}' mount path must be absolute`)
  }
  const clean = posix.normalize(destination).replace(/(.)\/$/, '$1')
  if (clean === '/') throw invalid("invalid specification: destination can't be '/'")
  const isTooLong =
    Buffer.byteLength(clean) >= PATH_MAX ||
    clean.split('/').some((name) => Buffer.byteLength(name) > NAME_MAX)
  if (isTooLong) throw invalid(`invalid mount path: '${clean}': file name too long`)
  return clean
}

/** limits.h; that of a path counts its NUL. */
const PATH_MAX = 4096
const NAME_MAX = 255

function invalidSpec(text: string): EngineError {
  return invalid(`invalid volume specification: '${text}'`)
}
