import { createRequire } from 'node:module'
import { EngineError } from '@ctr/errdefs'
import type * as Re2 from 're2js'

/** A pattern in the syntax of Go's regexp (RE2), found anywhere in a text. */
export interface GoRegexp {
  test(text: string): boolean
}

const require = createRequire(import.meta.url)

/**
 * Patterns come from users: RE2 takes time in proportion to the text, where JavaScript's own engine can be made to take forever
 * (`(a+)+$`) and holds up everybody else. Loaded with the first pattern. INVALID_ARGUMENT: not a pattern, as Go says it.
 */
export function goRegexp(pattern: string): GoRegexp {
  // Most are names.
  if (/^[\w./:-]*$/.test(pattern) && !pattern.includes('.')) {
    return { test: (text) => text.includes(pattern) }
  }
  const { RE2JS } = require('re2js') as typeof Re2
  try {
    const compiled = RE2JS.compile(pattern)
    return { test: (text) => compiled.matcher(text).find() }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    throw new EngineError('INVALID_ARGUMENT', reason, { cause })
  }
}

/** The test of a filter: equal to one of the values, or matched by it. A value that is no pattern matches nothing, as in Docker. */
export function matchesAny(values: readonly string[]): (text: string) => boolean {
  const patterns = values.flatMap((value) => {
    try {
      return [goRegexp(value)]
    } catch {
      return []
    }
  })
  return (text) => values.includes(text) || patterns.some((pattern) => pattern.test(text))
}
