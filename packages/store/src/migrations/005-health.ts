/**
 * What is known of the health of containers that have a check. `next_at_ns`: when the next probe is due (0: none is, the
 * container does not run); `exec_id`: the exec of a probe under way, or empty.
 */
export const migration005 = `
CREATE TABLE health (
  container_id   TEXT PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
  status         TEXT NOT NULL CHECK (status IN ('starting', 'healthy', 'unhealthy')),
  failing_streak INTEGER NOT NULL,
  log            TEXT NOT NULL,
  next_at_ns     INTEGER NOT NULL,
  exec_id        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`
