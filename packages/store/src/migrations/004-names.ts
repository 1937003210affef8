export const migration004 = `
-- JSON: resolvers asked by --dns; {alias: container} of links on this network.
ALTER TABLE endpoints ADD COLUMN nameservers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE endpoints ADD COLUMN links TEXT NOT NULL DEFAULT '{}';
CREATE INDEX endpoints_name ON endpoints (network_id, container_name COLLATE NOCASE);
CREATE INDEX endpoints_short_id ON endpoints (network_id, substr(container_id, 1, 12));

-- Names beyond the container's own and its short id: aliases, hostname; lower case.
CREATE TABLE endpoint_names (
  network_id  TEXT NOT NULL REFERENCES networks (id),
  name        TEXT NOT NULL,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  PRIMARY KEY (network_id, name, endpoint_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoint_names_endpoint ON endpoint_names (endpoint_id);
INSERT INTO endpoint_names
  SELECT DISTINCT network_id, lower(value), endpoints.id FROM endpoints, json_each(aliases);
`
