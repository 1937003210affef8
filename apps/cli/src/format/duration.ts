/** `About a minute`, `3 weeks` (go-units HumanDuration). */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.trunc(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.trunc(ms / 3_600_000 + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`
  return `${Math.trunc(ms / 3_600_000 / 24 / 365)} years`
}

/** Go's time.Time.String in the local zone: `2026-11-21 23:58:24 +0000 UTC`. The first takes 10 ms: it reads the zones. */
export function goTime(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000)
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString()
  const sign = offset < 0 ? '-' : '+'
  const pad = (value: number): string => String(Math.trunc(value)).padStart(2, '0')
  const zone = `${sign}${pad(Math.abs(offset) / 60)}${pad(Math.abs(offset) % 60)}`
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${zone} ${zoneName(date, offset, zone)}`
}

function zoneName(date: Date, offset: number, zone: string): string {
  if (offset === 0 && (process.env['TZ'] ?? 'UTC') === 'UTC') return 'UTC'
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? zone
  return name.startsWith('GMT') ? zone : name
}
