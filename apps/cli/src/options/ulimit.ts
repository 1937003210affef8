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
    const shown = soft === -1 ? 'unlimited' : String(soft)
    throw new Error(
      `ulimit soft limit must be less than or equal to hard limit: ${shown} > ${hard}`,
    )
  }
  return { Name: name, Soft: soft, Hard: hard }
}

function parseLimit(text: string): number {
  if (text === 'unlimited') return -1
  if (!/^-?\d{1,19}$/.test(text) || Number(text) < -1) {
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  return Number(text)
}
