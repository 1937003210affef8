export const migration003 = `
CREATE TABLE networks (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  driver        TEXT NOT NULL CHECK (driver IN ('bridge', 'host', 'null')),
  created_at_ns INTEGER NOT NULL,
  -- Name of the host's link; ours unless it was there before us.
  bridge        TEXT UNIQUE,
  is_foreign    INTEGER NOT NULL DEFAULT 0,
  is_internal   INTEGER NOT NULL DEFAULT 0,
  is_attachable INTEGER NOT NULL DEFAULT 0,
  has_ipv6      INTEGER NOT NULL DEFAULT 0,
  options       TEXT NOT NULL DEFAULT '{}',
  labels        TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE network_pools (
  network_id    TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
  subnet        TEXT NOT NULL,
  gateway       TEXT NOT NULL,
  ip_range      TEXT,
  aux_addresses TEXT NOT NULL DEFAULT '{}',
  -- 1: named by the user, so that containers may ask for addresses.
  is_explicit   INTEGER NOT NULL,
  PRIMARY KEY (network_id, subnet)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
  id             TEXT PRIMARY KEY,
  network_id     TEXT NOT NULL REFERENCES networks (id),
  container_id   TEXT NOT NULL,
  container_name TEXT NOT NULL,
  interface      INTEGER NOT NULL,
  -- Host end of the veth pair; null on the networks host and none.
  link           TEXT UNIQUE,
  mac_address    TEXT NOT NULL,
  aliases        TEXT NOT NULL,
  is_gateway     INTEGER NOT NULL,
  UNIQUE (container_id, network_id),
  UNIQUE (container_id, interface)
) STRICT;
CREATE INDEX endpoints_network ON endpoints (network_id);

-- 4 or 16 bytes, most significant first: sorts by value within a family.
CREATE TABLE addresses (
  network_id  TEXT NOT NULL REFERENCES networks (id),
  family      INTEGER NOT NULL CHECK (family IN (4, 6)),
  address     BLOB NOT NULL,
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  PRIMARY KEY (network_id, family, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_endpoint ON addresses (endpoint_id);

CREATE TABLE published_ports (
  protocol       TEXT NOT NULL,
  host_port      INTEGER NOT NULL,
  host_ip        TEXT NOT NULL,
  container_port INTEGER NOT NULL,
  endpoint_id    TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
  PRIMARY KEY (protocol, host_port, host_ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX published_ports_endpoint ON published_ports (endpoint_id);
`
