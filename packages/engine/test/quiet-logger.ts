import assert from 'node:assert/strict'
import type { Logger } from '../src/logger.ts'

/** For work in the background that must not fail. */
export const QUIET: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (fields) => assert.fail(JSON.stringify(fields)),
  child: () => QUIET,
}
