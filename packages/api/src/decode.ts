import { EngineError } from '@ctr/errdefs'
import type { JsonSchema, Schema } from './schema.ts'

/**
 * Turns a request document into its type with the manners of Go's encoding/json, which clients have come to rely on:
 * `null` is the same as absent, keys match without regard to case, unknown keys are ignored. A value of the wrong type
 * is INVALID_ARGUMENT with the path of the field. (No JSON Schema validator does the first three, hence this one.)
 */
export function decode<T>(schema: Schema<T>, value: unknown): T {
  return decodeNode(schema, value, '') as T
}

function decodeNode(node: JsonSchema, value: unknown, path: string): unknown {
  switch (node.type) {
    case 'object':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw wrongType(path, 'an object', value)
      }
      if (node.properties !== undefined) return decodeFields(node, node.properties, value, path)
      return decodeMap(node, value, path)
    case 'array':
      if (node.orString === true && typeof value === 'string') return [value]
      if (!Array.isArray(value)) throw wrongType(path, 'a list', value)
      return value.map((item: unknown, index) => {
        const items = node.items ?? {}
        return decodeNode(items, item ?? zeroValue(items), `${path}[${index}]`)
      })
    case 'string':
      if (typeof value !== 'string') throw wrongType(path, 'a string', value)
      return value
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(path, 'a boolean', value)
      return value
    case 'integer':
      return decodeInteger(node, value, path)
    case undefined:
    default:
      return value
  }
}

/** JSON.parse has rounded what is above 2^53; a caller that minds gives LargeInteger for what has no room in 64 bits. */
function decodeInteger(node: JsonSchema, value: unknown, path: string): number {
  if (value instanceof LargeInteger) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid JSON: cannot unmarshal number ${value.source} into field ${path} of type int64`,
    )
  }
  if (typeof value !== 'number') throw wrongType(path, 'an integer', value)
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** 63) {
    throw new EngineError('INVALID_ARGUMENT', `invalid JSON: ${path}: ${value} is not an integer`)
  }
  if (node.minimum === undefined || value >= node.minimum) return value
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid JSON: cannot unmarshal number ${value} into field ${path} of type uint64`,
  )
}

/** An integer of a document that Go's int64 has no room for, as it is written there. */
export class LargeInteger {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

function decodeFields(
  node: JsonSchema,
  properties: Readonly<Record<string, JsonSchema>>,
  value: object,
  path: string,
): unknown {
  const result: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) {
    const name = Object.hasOwn(properties, key)
      ? key
      : lowerCaseNames(properties).get(key.toLowerCase())
    const fieldNode = name === undefined ? undefined : properties[name]
    if (name === undefined || fieldNode === undefined || field === null) continue
    // An exact key wins over one in another case, wherever it stands.
    if (name !== key && Object.hasOwn(value, name)) continue
    result[name] = decodeNode(fieldNode, field, path === '' ? name : `${path}.${name}`)
  }
  for (const name of node.required ?? []) {
    if (!Object.hasOwn(result, name)) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `invalid JSON: ${path === '' ? name : `${path}.${name}`} is missing`,
      )
    }
  }
  return result
}

const lowerCase = new WeakMap<object, ReadonlyMap<string, string>>()

/** Of the properties of a schema; made for the first document that needs them. */
function lowerCaseNames(
  properties: Readonly<Record<string, JsonSchema>>,
): ReadonlyMap<string, string> {
  let names = lowerCase.get(properties)
  if (names === undefined) {
    names = new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]))
    lowerCase.set(properties, names)
  }
  return names
}

/** Names in order, as Go writes maps. fromEntries defines own properties, so that a key `__proto__` stays a key. */
function decodeMap(node: JsonSchema, value: object, path: string): unknown {
  const valueNode = node.additionalProperties ?? {}
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]: [string, unknown]) => [
        key,
        item === null && node.keepsNull === true
          ? null
          : decodeNode(valueNode, item ?? zeroValue(valueNode), `${path}[${JSON.stringify(key)}]`),
      ]),
  )
}

/** What Go leaves in a list or map where the document has `null`. */
function zeroValue(node: JsonSchema): unknown {
  switch (node.type) {
    case 'object':
      return {}
    case 'array':
      return []
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'integer':
      return 0
    case undefined:
    default:
      return null
  }
}

function wrongType(path: string, expected: string, value: unknown): EngineError {
  const where = path === '' ? 'the document' : path
  return new EngineError(
    'INVALID_ARGUMENT',
    `invalid JSON: ${where} must be ${expected}, not ${describe(value)}`,
  )
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof LargeInteger) return 'a number'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
