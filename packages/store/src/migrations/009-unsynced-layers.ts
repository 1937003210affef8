/**
 * Layers whose blob is on the disk, and whose unpacked files may not be yet. They are if the machine still runs as `boot`
 * (/proc/sys/kernel/random/boot_id): what was written stays in the kernel. After another boot they are unpacked again.
 */
export const migration009 = `
CREATE TABLE unsynced_layers (
  layer INTEGER PRIMARY KEY REFERENCES layers (id) ON DELETE CASCADE,
  boot  TEXT NOT NULL
) STRICT;
`
