import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

/** One row per input: what it means, or the message. */
export function table<T>(
  name: string,
  parse: (text: string) => T,
  rows: readonly (readonly [string, T | Error])[],
): void {
  void describe(name, () => {
    for (const [text, expected] of rows) {
      void it(JSON.stringify(text), () => {
        if (expected instanceof Error)
          assert.throws(() => parse(text), { message: expected.message })
        else assert.deepEqual(parse(text), expected)
      })
    }
  })
}

export const no = (message: string): Error => new Error(message)
