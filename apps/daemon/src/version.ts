import { readFileSync } from 'node:fs'

/** One version for the whole repository. */
export const VERSION = String(
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version,
)

export const SERVER_HEADER = `ctr/${VERSION} (linux)`
