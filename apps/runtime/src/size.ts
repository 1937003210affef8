const UNITS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/** `512m`, `1.5GiB`, `1024`: in bytes; undefined for anything else. As docker/go-units RAMInBytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text)
  if (match === null) return undefined
  const bytes = Number(match[1]) * 1024 ** (UNITS[(match[2] ?? '').toLowerCase()] ?? 0)
  return Number.isSafeInteger(Math.floor(bytes)) ? Math.floor(bytes) : undefined
}
