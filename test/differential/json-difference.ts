/** One place where two JSON documents differ, e.g. `HostConfig.Runtime: "runc" → "ctr"`. */
export interface JsonDifference {
  /** Names joined by dots, `[]` for the elements of a list. */
  readonly path: string
  readonly expected: string
  readonly actual: string
}

/** Everything that differs but the order of names. */
export function jsonDifferences(expected: unknown, actual: unknown, path = ''): JsonDifference[] {
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((item, index) => jsonDifferences(item, actual[index], `${path}[]`))
  }
  if (isObject(expected) && isObject(actual)) {
    const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    return names.flatMap((name) => {
      const inner = path === '' ? name : `${path}.${name}`
      return jsonDifferences(expected[name], actual[name], inner)
    })
  }
  const texts = [describe(expected), describe(actual)] as const
  return texts[0] === texts[1] ? [] : [{ path, expected: texts[0], actual: texts[1] }]
}

/**
 * As `jsonDifferences`, of the types only: names, null or not, kind of value. A list has the names of all its elements, since
 * their number and order depend on the machine.
 */
export function shapeDifferences(expected: unknown, actual: unknown): JsonDifference[] {
  return jsonDifferences(shape(expected), shape(actual))
}

function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [value.map(shape).reduce(merge)]
  if (!isObject(value)) return value === null ? null : typeof value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shape(item)]))
}

function merge(a: unknown, b: unknown): unknown {
  if (isObject(a) && isObject(b)) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
    return Object.fromEntries(names.map((name) => [name, merge(a[name], b[name])]))
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length > 0 && b.length > 0)
    return [merge(a[0], b[0])]
  const isEmpty = a === undefined || a === null || (Array.isArray(a) && a.length === 0)
  return isEmpty && b !== undefined ? b : a
}

/** The documents in a text: one, or one per line. Undefined if it is no JSON. */
export function jsonDocuments(text: string): unknown[] | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  for (const parts of [[text], text.trim().split('\n')]) {
    try {
      return parts.map((part): unknown => JSON.parse(part))
    } catch {
      // not this form
    }
  }
  return undefined
}

function describe(value: unknown): string {
  return JSON.stringify(value) ?? 'absent'
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
