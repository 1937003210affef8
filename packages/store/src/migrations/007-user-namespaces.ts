/** User namespaces of containers: the maps, and the range of ids that is theirs alone (`auto`). */
export const migration007 = `
CREATE TABLE user_namespaces (
  container_id TEXT PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
  uid_map      TEXT NOT NULL,
  gid_map      TEXT NOT NULL,
  first_id     INTEGER,
  id_count     INTEGER
) STRICT;
`
