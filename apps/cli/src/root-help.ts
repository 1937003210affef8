import { COMMANDS, type Entry, type Group } from './commands/index.ts'
import { flagsHelp } from './flags/help.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'

const EXAMPLES = `Examples:
  # A shell in a new container, removed at the end
  ctr run -it --rm busybox

  # A web server in the background on port 8080
  ctr run -d --name web -p 8080:80 busybox httpd -f -p 80

  # What it prints, and a second process in it
  ctr logs -f web
  ctr exec -it web sh

  # What would be done to start it, operation by operation
  ctr run --explain busybox true`

const EXIT_STATUS = `Exit status:
  run, exec: the command's own; 128+n when signal n killed it; 127 not found, 126 not executable, 125 our error
  others:    0, or 1 when something failed; 125 for an unknown option`

export function rootHelp(): string {
  const entries = Object.entries(COMMANDS)
  const isCommon = ([, entry]: [string, Entry]): boolean =>
    entry.kind === 'command' && entry.isCommon
  const isGroup = ([, entry]: [string, Entry]): boolean => entry.kind === 'group'
  const isHidden = ([, entry]: [string, Entry]): boolean =>
    entry.kind === 'command' && entry.isHidden
  const others = entries.filter((item) => !isCommon(item) && !isGroup(item) && !isHidden(item))
  const order = [
    'run',
    'exec',
    'ps',
    'images',
    'pull',
    'push',
    'login',
    'logout',
    'version',
    'info',
  ]
  const commons = entries
    .filter(isCommon)
    .toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b))
  return [
    'Usage:  ctr [OPTIONS] COMMAND',
    'A container engine: the command line of ctrd, compatible with docker',
    `Common Commands:\n${list(commons)}`,
    `Management Commands:\n${list(entries.filter(isGroup))}`,
    `Commands:\n${list(others)}`,
    `Global Options:\n${flagsHelp(
      GLOBAL_FLAGS.filter((flag) => flag.hidden !== true),
      100,
    )}`,
    EXAMPLES,
    EXIT_STATUS,
    "Run 'ctr COMMAND --help' for more information on a command.\n",
  ].join('\n\n')
}

export function groupHelp(path: string, group: Group): string {
  const children = Object.entries(group.children).filter(
    ([, entry]) => entry.kind === 'group' || !entry.isHidden,
  )
  return [
    `Usage:  ${path} COMMAND`,
    group.summary,
    `Commands:\n${list(children)}`,
    `Run '${path} COMMAND --help' for more information on a command.\n`,
  ].join('\n\n')
}

function list(entries: readonly (readonly [string, Entry])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length), 10) + 2
  return entries.map(([name, entry]) => `  ${name.padEnd(width)}${entry.summary}`).join('\n')
}
