/**
 * Ids of execs are asked for in memory; on the disk their index, and the one by container, were two pages more for each exec. The
 * rows of a container's execs are deleted with it, by their numbers: without an index a reference would search all rows.
 */
export const migration013 = `
CREATE TABLE execs_by_number (
  number        INTEGER PRIMARY KEY,
  id            TEXT NOT NULL CHECK (length(id) = 64),
  container_id  TEXT NOT NULL,
  created_at_ns INTEGER NOT NULL,
  config        TEXT NOT NULL,
  status        TEXT NOT NULL CHECK (status IN ('created', 'running', 'exited')),
  pid           INTEGER NOT NULL DEFAULT 0,
  start_time    INTEGER NOT NULL DEFAULT 0,
  exit_code     INTEGER
) STRICT;
INSERT INTO execs_by_number (id, container_id, created_at_ns, config, status, pid, start_time, exit_code)
  SELECT id, container_id, created_at_ns, config, status, pid, start_time, exit_code FROM execs ORDER BY created_at_ns;
DROP TABLE execs;
ALTER TABLE execs_by_number RENAME TO execs;
`
