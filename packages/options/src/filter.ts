import type { Flag } from './flag.ts'

/** `--filter name=value`, repeatable. */
export function checkFilter(text: string): void {
  if (text !== '' && !text.includes('='))
    throw new Error('bad format of filter (expected name=value)')
}

/** Of commands that list things. */
export const FILTER_FLAG: Flag = {
  name: 'filter',
  short: 'f',
  kind: 'list',
  value: 'filter',
  help: 'Filter output based on conditions provided',
  check: checkFilter,
}

/** Names are lower-cased and trimmed, as docker does (docker/cli opts.FilterOpt). */
export function parseFilters(values: readonly string[]): Record<string, string[]> {
  // By any name: one may be that of a method.
  const filters = new Map<string, string[]>()
  for (const text of values) {
    if (text === '') continue
    const equals = text.indexOf('=')
    const name = text.slice(0, equals).trim().toLowerCase()
    const value = text.slice(equals + 1).trim()
    filters.set(name, [...(filters.get(name) ?? []), value])
  }
  return Object.fromEntries(filters)
}
