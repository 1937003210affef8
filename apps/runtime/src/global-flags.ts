import type { Flag } from './flags.ts'

export const GLOBAL_FLAGS: readonly Flag[] = [
  { names: ['debug'], kind: 'bool', help: 'enable debug logging' },
  { names: ['log'], kind: 'text', help: 'set the log file to write logs to (default is stderr)' },
  { names: ['log-format'], kind: 'text', help: "set the log format ('text' (default), or 'json')" },
  { names: ['root'], kind: 'text', help: 'root directory for storage of container state' },
  {
    names: ['criu'],
    kind: 'text',
    help: 'path to the criu binary used for checkpoint and restore',
  },
  { names: ['systemd-cgroup'], kind: 'bool', help: 'enable systemd cgroup support' },
  {
    names: ['rootless'],
    kind: 'text',
    help: "ignore cgroup permission errors ('true', 'false', or 'auto')",
  },
  { names: ['version', 'v'], kind: 'bool', help: 'print the version' },
]
