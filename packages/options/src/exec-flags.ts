import { checkEnvironment } from './environment.ts'
import type { Flag } from './flag.ts'

/** Words that may stand in place of `exec`'s container, each a command by itself. */
export const EXEC_FORMS = ['ls', 'attach', 'kill'] as const

/** Options of `exec`, with Docker's names (docker/cli container/exec.go); `keep` is ours. */
export const EXEC_FLAGS: readonly Flag[] = [
  {
    name: 'detach',
    short: 'd',
    kind: 'bool',
    help: 'Detached mode: run command in the background',
    ofClient: true,
  },
  {
    name: 'detach-keys',
    kind: 'string',
    help: 'Override the key sequence for detaching a container',
    ofClient: true,
  },
  {
    name: 'env',
    short: 'e',
    kind: 'list',
    help: 'Set environment variables',
    check: checkEnvironment,
  },
  { name: 'env-file', kind: 'list', help: 'Read in a file of environment variables' },
  {
    name: 'interactive',
    short: 'i',
    kind: 'bool',
    help: 'Keep STDIN open even if not attached',
    ofClient: true,
  },
  {
    name: 'keep',
    kind: 'bool',
    help: 'Let the command go on when this client dies (default: it is hung up)',
  },
  { name: 'privileged', kind: 'bool', help: 'Give extended privileges to the command' },
  { name: 'tty', short: 't', kind: 'bool', help: 'Allocate a pseudo-TTY', ofClient: true },
  {
    name: 'user',
    short: 'u',
    kind: 'string',
    help: 'Username or UID (format: "<name|uid>[:<group|gid>]")',
  },
  { name: 'workdir', short: 'w', kind: 'string', help: 'Working directory inside the container' },
]
