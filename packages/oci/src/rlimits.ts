/** Resource limits: the index is the number on all architectures we run on. getrlimit(2), asm-generic/resource.h */
const NAMES = [
  'cpu',
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'nproc',
  'nofile',
  'memlock',
  'as',
  'locks',
  'sigpending',
  'msgqueue',
  'nice',
  'rtprio',
  'rttime',
] as const
/** As in `--ulimit nofile=1024`. */
export type RlimitName = (typeof NAMES)[number]

export const RLIM_INFINITY = 2n ** 64n - 1n

export function isRlimitName(name: string): name is RlimitName {
  return (NAMES as readonly string[]).includes(name)
}

/** Number of `RLIMIT_NOFILE`, `nofile`; undefined if there is none. */
export function rlimitNumber(type: string): number | undefined {
  const name = type.replace(/^RLIMIT_/, '').toLowerCase()
  return isRlimitName(name) ? NAMES.indexOf(name) : undefined
}

/** A limit of the runtime-spec (a JSON number; -1 and 2^64-1 mean unlimited) as the kernel takes it. */
export function rlimitValue(value: number): bigint {
  return value < 0 || value >= 2 ** 64 ? RLIM_INFINITY : BigInt(Math.trunc(value))
}

/** Parses Docker's `name=soft[:hard]` (hard defaults to soft; -1 = unlimited). Throws RangeError with Docker's texts. */
export function parseUlimit(text: string): { name: RlimitName; soft: number; hard: number } {
  const equals = text.indexOf('=')
  if (equals === -1) throw new RangeError(`invalid ulimit argument: ${text}`)
  const name = text.slice(0, equals)
  const values = text.slice(equals + 1)
  if (!isRlimitName(name)) throw new RangeError(`invalid ulimit type: ${name}`)
  const parts = values.split(':')
  if (parts.length > 2 || values === '') {
    throw new RangeError(
      `too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``,
    )
  }
  const [soft = 0, hard = soft] = parts.map((part) => {
    if (!/^-?\d{1,16}$/.test(part)) throw new RangeError(`invalid ulimit value: ${part}`)
    return Number(part)
  })
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new RangeError(
      `ulimit soft limit must be less than or equal to hard limit: ${soft === -1 ? 'soft: -1 (unlimited)' : soft} > ${hard}`,
    )
  }
  return { name, soft, hard }
}
