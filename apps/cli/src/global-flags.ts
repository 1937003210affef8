import type { Flag } from '@ctr/options'

/** What docker takes for --log-level (logrus). */
export const LOG_LEVELS = /^(panic|fatal|error|warn|warning|info|debug|trace)$/i

/** Options before the command. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: 'config', kind: 'string', help: 'Location of client config files', default: '~/.docker' },
  {
    name: 'context',
    short: 'c',
    kind: 'string',
    help: 'Name of the context to use to connect to the daemon (overrides $CTR_HOST and the context set with "ctr context use")',
  },
  { name: 'debug', short: 'D', kind: 'bool', help: 'Show the stack of errors' },
  {
    name: 'host',
    short: 'H',
    kind: 'list',
    help: 'Daemon socket to connect to: unix:///path, tcp://host:port or ssh://user@host (default $CTR_HOST, then $DOCKER_HOST, then unix:///var/run/ctr.sock)',
  },
  {
    name: 'log-level',
    short: 'l',
    kind: 'string',
    help: 'Accepted for compatibility: debug, info, warn, error or fatal',
    hidden: true,
  },
  { name: 'tls', kind: 'bool', help: 'Use TLS; implied by --tlsverify' },
  {
    name: 'tlscacert',
    kind: 'string',
    help: 'Trust certs signed only by this CA',
    default: '~/.docker/ca.pem',
  },
  {
    name: 'tlscert',
    kind: 'string',
    help: 'Path to TLS certificate file',
    default: '~/.docker/cert.pem',
  },
  { name: 'tlskey', kind: 'string', help: 'Path to TLS key file', default: '~/.docker/key.pem' },
  { name: 'tlsverify', kind: 'bool', help: 'Use TLS and verify the remote' },
  { name: 'version', short: 'v', kind: 'bool', help: 'Print version information and quit' },
]
