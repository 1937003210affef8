/** RFC 3339 with nine digits in the local zone, as `events` and `logs` print (`2026-11-22T00:19:58.982677903Z`). */
export function localRfc3339Nano(timeNs: bigint): string {
  const seconds = timeNs / 1_000_000_000n
  const nanoseconds = String(timeNs % 1_000_000_000n).padStart(9, '0')
  const date = new Date(Number(seconds) * 1000)
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19)
  return `${local}.${nanoseconds}${zoneText(offset)}`
}

function zoneText(offsetMinutes: number): string {
  if (offsetMinutes === 0) return 'Z'
  const pad = (value: number): string => String(value).padStart(2, '0')
  const minutes = Math.abs(offsetMinutes)
  return `${offsetMinutes < 0 ? '-' : '+'}${pad(Math.trunc(minutes / 60))}:${pad(minutes % 60)}`
}
