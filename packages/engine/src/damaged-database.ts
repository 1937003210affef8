import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'

/** What SQLite says of a file with pages that are none. sqlite.org/rescode.html */
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB)/

/** INTERNAL, with what to do, for a database that cannot be read; any other error as it is. */
export function explainDamage(error: unknown, dataRoot: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (!DAMAGED.test(code)) return error
  const path = join(dataRoot, 'ctr.db')
  return new EngineError(
    'INTERNAL',
    `${path} is damaged (${(error as Error).message}); nothing has been removed, and containers go on: put a copy of it back, or save what can be read with sqlite3 ${path} .recover`,
    { cause: error },
  )
}
