/**
 * A container's life wrote 38 pages to the log, half of them of five tables and eight indexes of what running containers hold.
 * These are in memory now (`held-schema.ts`), filled from one document for each endpoint. Numbers of events need no table that
 * remembers the highest: the newest event always stays. Few ask for the containers of a layer.
 */
export const migration011 = `
CREATE TABLE kept_endpoints (
  id       TEXT PRIMARY KEY,
  document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO kept_endpoints SELECT id, json_object(
  'networkId', network_id,
  'containerId', container_id,
  'containerName', container_name,
  'interface', interface,
  'link', link,
  'macAddress', mac_address,
  'aliases', json(aliases),
  'isGateway', is_gateway,
  'ipv4', (SELECT lower(hex(address)) FROM addresses WHERE endpoint_id = endpoints.id AND family = 4),
  'ipv6', (SELECT lower(hex(address)) FROM addresses WHERE endpoint_id = endpoints.id AND family = 6),
  'ports', json((SELECT json_group_array(json_object(
    'protocol', protocol, 'hostPort', host_port, 'hostIp', host_ip, 'containerPort', container_port
  )) FROM published_ports WHERE endpoint_id = endpoints.id)),
  'names', json((SELECT json_group_array(name) FROM endpoint_names WHERE endpoint_id = endpoints.id)),
  'nameservers', json(nameservers),
  'links', json(links)
) FROM endpoints;
DROP TABLE endpoint_names;
DROP TABLE published_ports;
DROP TABLE addresses;
DROP TABLE endpoints;

CREATE TABLE events_by_number (
  sequence   INTEGER PRIMARY KEY,
  time_ns    INTEGER NOT NULL,
  type       TEXT NOT NULL,
  action     TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT;
INSERT INTO events_by_number SELECT sequence, time_ns, type, action, actor_id, attributes FROM events;
DROP TABLE events;
ALTER TABLE events_by_number RENAME TO events;

DROP INDEX container_layers_by_layer;
`
