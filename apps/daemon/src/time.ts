const SECOND_NS = 1_000_000_000n

/** Go's time.RFC3339Nano in UTC: no trailing zeros; 0n is Go's zero time. */
export function rfc3339(ns: bigint): string {
  if (ns === 0n) return '0001-01-01T00:00:00Z'
  const fraction = (ns % SECOND_NS).toString().padStart(9, '0').replace(/0+$/, '')
  return `${wholeSeconds(ns)}${fraction === '' ? '' : `.${fraction}`}Z`
}

/** Go's time.RFC3339 in UTC. */
export function rfc3339Seconds(ns: bigint): string {
  return `${wholeSeconds(ns)}Z`
}

function wholeSeconds(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)
}

export function unixSeconds(ns: bigint): number {
  return Number(ns / SECOND_NS)
}

export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}

/** docker/go-units HumanDuration: `About a minute`, `3 weeks`. */
export function humanDuration(ns: bigint): string {
  const seconds = Number(ns / SECOND_NS)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.floor(seconds / 3600 + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`
}

/**
 * A point in time as Docker's `since` and `until` take it: unix seconds with a fraction, RFC 3339, a date, or a Go
 * duration back from now. Undefined for anything else.
 */
export function parseTime(text: string, now: bigint): bigint | undefined {
  const unix = /^(-?[0-9]{1,12})(?:\.([0-9]{1,9})[0-9]*)?$/.exec(text)
  if (unix !== null) {
    return BigInt(unix[1] ?? 0) * SECOND_NS + BigInt((unix[2] ?? '').padEnd(9, '0'))
  }
  const duration = parseGoDuration(text)
  if (duration !== undefined) return now - duration
  const date =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9})[0-9]*)?)?(Z|[+-][0-9]{2}:[0-9]{2})?$/.exec(
      text,
    )
  if (date === null) return undefined
  const [, day, clock = '00:00:00', fraction = '', zone = 'Z'] = date
  const milliseconds = Date.parse(`${day}T${clock}${zone}`)
  if (Number.isNaN(milliseconds)) return undefined
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** Go's time.ParseDuration: `1h30m`, `1.5s`. */
function parseGoDuration(text: string): bigint | undefined {
  const sign = text.startsWith('-') ? -1n : 1n
  const rest = text.replace(/^[+-]/, '')
  if (!/^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$/.test(rest)) return undefined
  let total = 0n
  for (const [, number = '', unit = ''] of rest.matchAll(
    /([0-9]+(?:\.[0-9]*)?)(ns|us|µs|ms|s|m|h)/g,
  )) {
    total += BigInt(Math.round(Number(number) * (UNIT_NS[unit] ?? 0)))
  }
  return sign * total
}
