import type { Flag } from '@ctr/options'
import type { Command } from '../command.ts'
import type { Group } from '../commands/index.ts'
import { flagValueWord } from '../flags/help.ts'

/** Manual pages in man(7)'s macros, from the tables that also make the help. */
export interface Page {
  /** `ctr-run.1` */
  readonly file: string
  readonly text: string
}

export interface Related {
  readonly name: string
  readonly summary: string
}

export function commandPage(path: string, command: Command, version: string): Page {
  const name = path.replaceAll(' ', '-')
  const synopsis = command.usage
    .split('\n')
    .map((form) => `.B ${path}\n${escape(form)}`)
    .join('\n.br\n')
  const sections = [
    section('SYNOPSIS', synopsis),
    section('DESCRIPTION', paragraphs(command.summary)),
    optionsSection(command.flags),
    section('EXAMPLES', examples(command)),
    ...(command.isRun === true || path === 'ctr exec' ? [section('EXIT STATUS', EXIT_STATUS)] : []),
    section('SEE ALSO', `.BR ${parentName(path)} (1)`),
  ]
  return page(name, firstLine(command.summary), version, sections)
}

export function groupPage(
  path: string,
  group: Pick<Group, 'summary'>,
  children: readonly Related[],
  version: string,
  options: { readonly flags?: readonly Flag[]; readonly more?: readonly string[] } = {},
): Page {
  const name = path.replaceAll(' ', '-')
  const list = children
    .map((child) => `.TP\n.BR ${name}-${child.name} (1)\n${escape(firstLine(child.summary))}`)
    .join('\n')
  return page(name, firstLine(group.summary), version, [
    section('SYNOPSIS', `.B ${path}\n[OPTIONS] COMMAND [ARG...]`),
    section('DESCRIPTION', paragraphs(group.summary)),
    section('COMMANDS', list),
    optionsSection(options.flags ?? []),
    ...(options.more ?? []),
    section('SEE ALSO', path === 'ctr' ? '' : `.BR ${parentName(path)} (1)`),
  ])
}

export const ENVIRONMENT = section(
  'ENVIRONMENT',
  [
    ['CTR_HOST, DOCKER_HOST', 'Address of the daemon. The first one that is set counts.'],
    ['CTR_CONTEXT, DOCKER_CONTEXT', 'Name of the context, unless an address is set.'],
    ['DOCKER_CONFIG', 'Directory of config.json and of the contexts; ~/.docker.'],
    ['DOCKER_API_VERSION', 'Version of the API to speak.'],
    ['DOCKER_DEFAULT_PLATFORM', 'For commands with --platform.'],
    ['DOCKER_TLS, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH', 'TLS for tcp:// addresses.'],
    ['NO_COLOR', 'No colours on a terminal.'],
  ]
    .map(([name = '', text = '']) => `.TP\n.B ${name}\n${escape(text)}`)
    .join('\n'),
)

const EXIT_STATUS = [
  ['125', 'ctr or the daemon failed, or the options make no sense'],
  ['126', 'the program was found but cannot be executed'],
  ['127', 'the program was not found'],
  ['128+n', 'signal n ended the program'],
  ['other', "the program's own status"],
]
  .map(([status = '', text = '']) => `.TP\n.B ${status}\n${text}`)
  .join('\n')

function page(name: string, summary: string, version: string, sections: readonly string[]): Page {
  const head = `.TH ${name.toUpperCase()} 1 "" "ctr ${version}" "ctr manual"`
  const title = `.SH NAME\n${escape(`${name} - ${summary}`)}`
  const text = [head, title, ...sections.filter((each) => each !== ''), ''].join('\n')
  return { file: `${name}.1`, text }
}

function section(title: string, body: string): string {
  return body === '' ? '' : `.SH ${title}\n${body}`
}

function optionsSection(flags: readonly Flag[]): string {
  const shown = flags.filter(({ hidden, aliasOf }) => hidden !== true && aliasOf === undefined)
  return section('OPTIONS', shown.map(option).join('\n'))
}

function option(flag: Flag): string {
  const value = flagValueWord(flag)
  const name = `\\fB${escape(`--${flag.name}`)}\\fR${value === '' ? '' : `=\\fI${escape(value)}\\fR`}`
  const short = flag.short === undefined ? '' : `\\fB${escape(`-${flag.short}`)}\\fR, `
  const standard = flag.default === undefined ? '' : ` (default ${flag.default})`
  return `.TP\n${short}${name}\n${escape(flag.help + standard).replaceAll('\n', '\n.br\n')}`
}

function examples({ examples: all = [] }: Command): string {
  return all
    .map(({ text, command }) => `${escape(text)}:\n.PP\n.RS 4\n.nf\n${escape(command)}\n.fi\n.RE`)
    .join('\n.PP\n')
}

function paragraphs(text: string): string {
  return text.split('\n').map(escape).join('\n').replaceAll('\n\n', '\n.PP\n')
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}

function parentName(path: string): string {
  return path.split(' ').slice(0, -1).join('-')
}

/** groff_char(7): a hyphen is copied as one only when it is escaped; a line must not begin like a request. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}
