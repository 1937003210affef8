import { EngineError } from '@ctr/errdefs'
import { parseTimeNs } from './image.ts'

const UNIT_NS: Record<string, number | undefined> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/**
 * What Docker takes for `until`: Unix seconds with an optional fraction, a date or RFC 3339 time (UTC if it has no zone),
 * or a Go duration before now.
 */
export function parsePointInTimeNs(text: string, nowNs = BigInt(Date.now()) * 1_000_000n): bigint {
  const unix = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text)
  if (unix !== null)
    return BigInt(unix[1] ?? '0') * 1_000_000_000n + BigInt((unix[2] ?? '').padEnd(9, '0'))
  const duration = parseDurationNs(text)
  if (duration !== undefined) return nowNs - duration
  const date =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text)
  const clock = (date?.[2] ?? '00').concat(':00:00').slice(0, Math.max(8, date?.[2]?.length ?? 0))
  const ns = date === null ? 0n : parseTimeNs(`${date[1]}T${clock}${date[3] ?? 'Z'}`)
  if (ns === 0n) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `failed to parse value as time or duration: ${JSON.stringify(text)}`,
    )
  }
  return ns
}

/** Go's time.ParseDuration: `1h30m`, `1.5s`. */
function parseDurationNs(text: string): bigint | undefined {
  if (!/^-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  let ns = 0
  for (const [, amount, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    ns += Number(amount) * (UNIT_NS[unit] ?? 0)
  }
  return BigInt(Math.round(text.startsWith('-') ? -ns : ns))
}
