/**
 * What running containers hold, in a database in memory beside the one on the disk: changed in the same transactions, asked by the
 * same queries, written to no disk. The rows are made from the documents of `kept_endpoints` (EndpointTable).
 */
export const HELD_SCHEMA = `
ATTACH ':memory:' AS held;

CREATE TABLE held.endpoints (
  id             TEXT PRIMARY KEY,
  network_id     TEXT NOT NULL,
  container_id   TEXT NOT NULL,
  container_name TEXT NOT NULL,
  interface      INTEGER NOT NULL,
  -- Host end of the veth pair; null where there is none. (Endpoints of the networks host and none are not here: EndpointTable.)
  link           TEXT UNIQUE,
  mac_address    TEXT NOT NULL,
  -- JSON.
  aliases        TEXT NOT NULL,
  is_gateway     INTEGER NOT NULL,
  gateway_priority INTEGER NOT NULL,
  -- Between the beginning and the end of a change of a running container.
  is_changing    INTEGER NOT NULL,
  -- JSON: resolvers asked by --dns; {alias: container} of links on this network.
  nameservers    TEXT NOT NULL,
  links          TEXT NOT NULL,
  UNIQUE (container_id, network_id),
  UNIQUE (container_id, interface)
) STRICT, WITHOUT ROWID;
CREATE INDEX held.endpoints_name ON endpoints (network_id, container_name COLLATE NOCASE);
CREATE INDEX held.endpoints_short_id ON endpoints (network_id, substr(container_id, 1, 12));

-- 4 or 16 bytes, most significant first: sorts by value within a family.
CREATE TABLE held.addresses (
  network_id  TEXT NOT NULL,
  family      INTEGER NOT NULL CHECK (family IN (4, 6)),
  address     BLOB NOT NULL,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  PRIMARY KEY (network_id, family, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX held.addresses_endpoint ON addresses (endpoint_id);

CREATE TABLE held.published_ports (
  protocol       TEXT NOT NULL,
  host_port      INTEGER NOT NULL,
  host_ip        TEXT NOT NULL,
  container_port INTEGER NOT NULL,
  endpoint_id    TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE
) STRICT;
-- 0 is no port of the host.
CREATE UNIQUE INDEX held.published_ports_host ON published_ports (protocol, host_port, host_ip) WHERE host_port > 0;
CREATE INDEX held.published_ports_endpoint ON published_ports (endpoint_id);

-- Names beyond the container's own and its short id: aliases, hostname; lower case.
CREATE TABLE held.endpoint_names (
  network_id  TEXT NOT NULL,
  name        TEXT NOT NULL,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  PRIMARY KEY (network_id, name, endpoint_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held.endpoint_names_endpoint ON endpoint_names (endpoint_id);
`
