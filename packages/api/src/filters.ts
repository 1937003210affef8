import { EngineError } from '@ctr/errdefs'

/** `?filters=` after parsing: same key OR, different keys AND. */
export type Filters = ReadonlyMap<string, readonly string[]>

/**
 * Reads both JSON forms, `{"status":["running"]}` and the older `{"status":{"running":true}}`.
 * A key outside `accepted` is refused with Docker's text.
 */
export function parseFilters(
  text: string | undefined,
  accepted: readonly string[] | 'any',
): Filters {
  const filters = new Map<string, readonly string[]>()
  if (text === undefined || text === '') return filters
  for (const [key, value] of Object.entries(parseObject(text))) {
    if (accepted !== 'any' && !accepted.includes(key))
      throw new EngineError('INVALID_ARGUMENT', `invalid filter '${key}'`)
    filters.set(key, filterValues(value, text))
  }
  return filters
}

/** The newest form, which every API version since v1.22 reads. */
export function formatFilters(filters: Filters): string {
  return JSON.stringify(Object.fromEntries(filters))
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Reported below, with the text.
  }
  throw invalidFilters(text)
}

function filterValues(value: unknown, text: string): readonly string[] {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => {
      if (typeof item === 'string') return item
      throw invalidFilters(text)
    })
  }
  if (typeof value !== 'object' || value === null) throw invalidFilters(text)
  return Object.entries(value)
    .filter(([, isSet]) => isSet === true)
    .map(([key]) => key)
}

function invalidFilters(text: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid filter: ${text.slice(0, 200)}`)
}

/** A boolean filter such as `dangling`; undefined when absent. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key)
  if (values === undefined || values.length === 0) return undefined
  const isTrue = values.some((value) => value === '1' || value.toLowerCase() === 'true')
  const isFalse = values.some((value) => value === '0' || value.toLowerCase() === 'false')
  if (isTrue === isFalse) {
    throw new EngineError('INVALID_ARGUMENT', `invalid filter '${key}=[${values.join(' ')}]'`)
  }
  return isTrue
}
