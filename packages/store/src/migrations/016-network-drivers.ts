/** Which drivers there are is the engine's to say: the tables are made anew without a list of them. */
export const migration016 = `
CREATE TABLE new_networks (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  driver        TEXT NOT NULL,
  created_at_ns INTEGER NOT NULL,
  -- Name of the bridge; ours unless it was there before us. Null with other drivers.
  bridge        TEXT UNIQUE,
  is_foreign    INTEGER NOT NULL DEFAULT 0,
  is_internal   INTEGER NOT NULL DEFAULT 0,
  is_attachable INTEGER NOT NULL DEFAULT 0,
  has_ipv6      INTEGER NOT NULL DEFAULT 0,
  options       TEXT NOT NULL DEFAULT '{}',
  labels        TEXT NOT NULL DEFAULT '{}',
  -- JSON, or null: none were given.
  ipam_options  TEXT,
  -- Name of the network that this one was made of, or ''.
  config_from   TEXT NOT NULL DEFAULT '',
  -- JSON: the address pools that networks made of this one get; null: it is a network that containers can be on.
  configuration TEXT
) STRICT;
INSERT INTO new_networks SELECT id, name, driver, created_at_ns, bridge, is_foreign, is_internal, is_attachable, has_ipv6, options, labels, ipam_options, config_from, configuration FROM networks;

CREATE TABLE new_pools (
  network_id    TEXT NOT NULL REFERENCES new_networks (id) ON DELETE CASCADE,
  subnet        TEXT NOT NULL,
  -- '': none.
  gateway       TEXT NOT NULL,
  ip_range      TEXT,
  aux_addresses TEXT NOT NULL DEFAULT '{}',
  -- 1: named by the user, so that containers may ask for addresses.
  is_explicit   INTEGER NOT NULL,
  PRIMARY KEY (network_id, subnet)
) STRICT, WITHOUT ROWID;
INSERT INTO new_pools SELECT network_id, subnet, gateway, ip_range, aux_addresses, is_explicit FROM network_pools;

DROP TABLE network_pools;
DROP TABLE networks;
ALTER TABLE new_networks RENAME TO networks;
ALTER TABLE new_pools RENAME TO network_pools;
`
