/**
 * Containers, execs, volumes and events. Times are nanoseconds since 1970 (0: never). JSON columns hold documents that
 * are read and written as a whole; what a query needs has a column of its own.
 */
export const migration001 = `
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE containers (
  id                    TEXT PRIMARY KEY CHECK (length(id) = 64),
  name                  TEXT NOT NULL UNIQUE,
  created_at_ns         INTEGER NOT NULL,
  image_id              TEXT NOT NULL,
  image_reference       TEXT NOT NULL,
  platform              TEXT NOT NULL,
  path                  TEXT NOT NULL,
  args                  TEXT NOT NULL,
  config                TEXT NOT NULL,
  host_config           TEXT NOT NULL,
  networking            TEXT NOT NULL,
  layers                TEXT NOT NULL,
  status                TEXT NOT NULL CHECK (status IN ('created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead')),
  pid                   INTEGER NOT NULL DEFAULT 0,
  start_time            INTEGER NOT NULL DEFAULT 0,
  started_at_ns         INTEGER NOT NULL DEFAULT 0,
  finished_at_ns        INTEGER NOT NULL DEFAULT 0,
  exit_code             INTEGER NOT NULL DEFAULT 0,
  is_oom_killed         INTEGER NOT NULL DEFAULT 0,
  error                 TEXT NOT NULL DEFAULT '',
  restart_count         INTEGER NOT NULL DEFAULT 0,
  has_started_before    INTEGER NOT NULL DEFAULT 0,
  is_manually_stopped   INTEGER NOT NULL DEFAULT 0,
  is_restart_cancelled  INTEGER NOT NULL DEFAULT 0,
  kill_at_ns            INTEGER NOT NULL DEFAULT 0,
  restart_at_ns         INTEGER NOT NULL DEFAULT 0,
  restart_delay_ms      INTEGER NOT NULL DEFAULT 0,
  CHECK ((status IN ('running', 'paused')) = (pid <> 0))
) STRICT;
CREATE INDEX containers_image ON containers (image_id);

CREATE TABLE mounts (
  container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
  destination  TEXT NOT NULL,
  position     INTEGER NOT NULL,
  volume       TEXT REFERENCES volumes (name) ON DELETE RESTRICT,
  document     TEXT NOT NULL,
  PRIMARY KEY (container_id, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX mounts_volume ON mounts (volume) WHERE volume IS NOT NULL;

CREATE TABLE volumes (
  name          TEXT PRIMARY KEY,
  driver        TEXT NOT NULL,
  labels        TEXT NOT NULL,
  options       TEXT NOT NULL,
  is_anonymous  INTEGER NOT NULL,
  created_at_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE execs (
  id            TEXT PRIMARY KEY CHECK (length(id) = 64),
  container_id  TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
  created_at_ns INTEGER NOT NULL,
  config        TEXT NOT NULL,
  status        TEXT NOT NULL CHECK (status IN ('created', 'running', 'exited')),
  pid           INTEGER NOT NULL DEFAULT 0,
  start_time    INTEGER NOT NULL DEFAULT 0,
  exit_code     INTEGER
) STRICT;
CREATE INDEX execs_container ON execs (container_id);

CREATE TABLE events (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ns    INTEGER NOT NULL,
  type       TEXT NOT NULL,
  action     TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT;
CREATE INDEX events_time ON events (time_ns);
`
