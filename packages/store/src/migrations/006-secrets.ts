/** Secrets. `data` is encrypted (packages/engine/src/secret/cipher.ts); the key is a file beside the database. */
export const migration006 = `
CREATE TABLE secrets (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  labels        TEXT NOT NULL,
  data          BLOB NOT NULL,
  version       INTEGER NOT NULL,
  created_at_ns INTEGER NOT NULL,
  updated_at_ns INTEGER NOT NULL
) STRICT;
`
