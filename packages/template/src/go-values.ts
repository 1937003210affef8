import { EMPTY_STRUCT, isMap } from './nil-values.ts'

/** JSON values as Go would treat and print them (fmt %v, text/template truth). */

export function isTrue(value: unknown): boolean {
  if (value === null || value === undefined) return false
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object') return isStruct(value) || Object.keys(value).length > 0
  if (typeof value === 'bigint') return value !== 0n
  return value !== false && value !== 0 && value !== ''
}

/** `[a b]`, `map[k:v]`, `{a b}`; nothing at all is `<no value>`. */
export function goString(value: unknown): string {
  if (value === undefined) return '<no value>'
  if (value === null) return '<nil>'
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return `[${value.map(goString).join(' ')}]`
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value)
  }
  if (typeof value !== 'object') return `<${typeof value}>`
  if (value === EMPTY_STRUCT) return '{}'
  const entries = Object.entries(value)
  if (isStruct(value)) return `{${entries.map(([, item]) => goString(item)).join(' ')}}`
  return `map[${entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${key}:${goString(item)}`)
    .join(' ')}]`
}

/** JSON does not tell structs from maps: the API's structs have capitalised names, its maps hardly ever. */
function isStruct(value: object): boolean {
  if (isMap(value)) return false
  const keys = Object.keys(value)
  return keys.length > 0 && keys.every((key) => /^[A-Z][A-Za-z0-9]*$/.test(key))
}

export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'untyped nil'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'object') return 'map[string]interface {}'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  return typeof value
}
