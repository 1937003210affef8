/** Sizes as Docker prints them (go-units HumanSizeWithPrecision): decimal, three or four significant digits. */
const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'] as const
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'] as const

/** `1.99MB`, `0B`. */
export function formatSize(bytes: number, digits = 3): string {
  return format(bytes, 1000, DECIMAL, digits)
}

/** `23.54GiB`: memory in `stats` and `info`. */
export function formatMemory(bytes: number, digits = 4): string {
  return format(bytes, 1024, BINARY, digits)
}

function format(bytes: number, base: number, units: readonly string[], digits: number): string {
  let value = bytes
  let unit = 0
  while (value >= base && unit < units.length - 1) {
    value /= base
    unit += 1
  }
  return `${significant(value, digits)}${units[unit]}`
}

/** C's %.4g, as far as sizes need it: no exponent below 10^digits, no trailing zeros. */
function significant(value: number, digits: number): string {
  const text = value.toPrecision(digits)
  if (text.includes('e')) return String(Math.round(value))
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
