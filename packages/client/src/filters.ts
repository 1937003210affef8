/** Same key: any of the values; different keys: all of them. */
export type FilterMap = Readonly<Record<string, readonly string[]>>

/** The form that every API version since v1.22 reads. Undefined when there is nothing to filter. */
export function encodeFilters(filters: FilterMap | undefined): string | undefined {
  if (filters === undefined || Object.keys(filters).length === 0) return undefined
  return JSON.stringify(filters)
}
