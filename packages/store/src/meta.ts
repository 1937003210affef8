import type { Store } from './open.ts'

/** A value that is made once in the life of a database, e.g. the engine's id. */
export function getOrCreateMeta(store: Store, key: string, create: () => string): string {
  const existing = store.db.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key)
  if (typeof existing === 'string') return existing
  const value = create()
  store.db.prepare('INSERT INTO meta (key, value) VALUES (?, ?)').run(key, value)
  return value
}
