import { parseDuration } from './duration.ts'

/**
 * `--since`, `--until`: RFC 3339, `2013-01-02T13:23:37[.n]`, a date, unix seconds with a fraction, or a Go duration before
 * now (moby api/types/time GetTimestamp). Returns unix seconds with up to nine digits of fraction.
 */
export function parseTime(text: string, nowMs = Date.now()): string {
  // A time, not a duration: everything.
  const durationNs = text === '0' ? undefined : durationOf(text)
  if (durationNs !== undefined)
    return unixText(BigInt(Math.trunc(nowMs)) * 1_000_000n - BigInt(durationNs))
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}(?::\d{2}(?::\d{2})?)?)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(
      text,
    )
  if (match !== null) {
    const [, date, time = '00:00:00', fraction = '', zone = ''] = match
    const ms = Date.parse(`${date}T${time.length === 2 ? `${time}:00` : time}${zone}`)
    if (!Number.isNaN(ms))
      return unixText(BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0') || 0))
    throw new Error(
      `parsing time ${JSON.stringify(text)}: ${outOfRange(date ?? '', time)} out of range`,
    )
  }
  const seconds = /^(-?\d+(?:\.\d{1,9})?)\d*$/.exec(text)
  if (seconds !== null) return seconds[1] as string
  throw new Error(`failed to parse value as time or duration: ${JSON.stringify(text)}`)
}

/** The first part that there is not. */
function outOfRange(date: string, time: string): string {
  const month = Number(date.slice(5, 7))
  if (month < 1 || month > 12) return 'month'
  const [hour = 0, minute = 0, second = 0] = time.split(':').map(Number)
  if (hour > 23) return 'hour'
  if (minute > 59) return 'minute'
  return second > 59 ? 'second' : 'day'
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text)
  } catch {
    return undefined
  }
}

function unixText(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`
}
