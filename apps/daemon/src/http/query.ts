import { EngineError } from '@ctr/errdefs'

/** What a route reads from its query string. */
export type QuerySpec = Readonly<Record<string, 'string' | 'strings' | 'boolean' | 'integer'>>

export type QueryOf<Q extends QuerySpec> = {
  readonly [K in keyof Q]: Q[K] extends 'boolean'
    ? boolean
    : Q[K] extends 'strings'
      ? readonly string[]
      : (Q[K] extends 'integer' ? number : string) | undefined
}

/** Absent and empty values are the same; a repeated parameter gives its first value (Go's url.Values.Get). */
export function parseQuery<Q extends QuerySpec>(
  spec: Q,
  raw: Readonly<Record<string, string | readonly string[] | undefined>>,
): QueryOf<Q> {
  // Each request asks: entries and their pairs would take four times as long.
  const query: Record<string, ReturnType<typeof parseValue>> = {}
  for (const name in spec) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined
    query[name] = parseValue(spec[name] ?? 'string', name, asList(value))
  }
  return query as QueryOf<Q>
}

const NONE: readonly string[] = []

function asList(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return NONE
  return typeof value === 'string' ? [value] : value
}

function parseValue(
  kind: QuerySpec[string],
  name: string,
  values: readonly string[],
): string | readonly string[] | boolean | number | undefined {
  const first = values[0] === '' ? undefined : values[0]
  switch (kind) {
    case 'strings':
      return values
    case 'string':
      return first
    case 'boolean':
      return isTrue(first)
    case 'integer':
      return first === undefined ? undefined : parseInteger(name, first)
  }
}

/** moby httputils.BoolValue: everything but these is true. */
export function isTrue(text: string | undefined): boolean {
  return text !== undefined && !['no', '0', 'false', 'none'].includes(text.trim().toLowerCase())
}

function parseInteger(name: string, text: string): number {
  const value = Number(text)
  if (/^[+-]?[0-9]+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid value for ${name}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  )
}
