/** Options of IPAM drivers are kept for who asks; networks that only keep a configuration, and those made of one. */
export const migration012 = `
-- JSON, or null: none were given.
ALTER TABLE networks ADD COLUMN ipam_options TEXT;
-- Name of the network that this one was made of, or ''.
ALTER TABLE networks ADD COLUMN config_from TEXT NOT NULL DEFAULT '';
-- JSON: the address pools that networks made of this one get; null: it is a network that containers can be on.
ALTER TABLE networks ADD COLUMN configuration TEXT;
`
