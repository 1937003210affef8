import type { Ulimit } from '@ctr/api'

/** `--ulimit name=soft[:hard]` (docker/go-units ParseUlimit). Throws an Error with Docker's text. */
const NAMES = new Set([
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
])

/** The last one of a name counts; sorted, as inspect shows them. */
export function parseUlimits(texts: readonly string[]): Ulimit[] {
  const limits = new Map(texts.map((text) => [text.slice(0, text.indexOf('=')), parseUlimit(text)]))
  return [...limits.values()].toSorted((a, b) => (String(a.Name) < String(b.Name) ? -1 : 1))
}

export function parseUlimit(text: string): Ulimit {
  const equals = text.indexOf('=')
  if (equals < 0) throw new Error(`invalid ulimit argument: ${text}`)
  const name = text.slice(0, equals)
  const value = text.slice(equals + 1)
  if (!NAMES.has(name)) throw new Error(`invalid ulimit type: ${name}`)
  const limits = value.split(':')
  if (limits.length > 2) {
    throw new Error(
      `too many limit value arguments - ${value}, can only have up to two, \`soft[:hard]\``,
    )
  }
  const [soft = 0, hard = soft] = limits.map(parseLimit)
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    const limits = soft === -1 ? `soft: -1 (unlimited), hard: ${hard}` : `${soft} > ${hard}`
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${limits}`)
  }
  return { Name: name, Hard: hard, Soft: soft }
}

function parseLimit(text: string): number {
  if (text === 'unlimited') return -1
  if (!/^-?\d{1,19}$/.test(text) || Number(text) < -1) {
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  return Number(text)
}
