import { messageOf } from '@ctr/errdefs'
import type { Flag } from '@ctr/options'
import { goString, Template, TemplateSyntaxError } from '@ctr/template'
import { ExitError } from '../command.ts'
import { printLine, writeOut } from '../output/write.ts'
import { alignColumns } from './tabwriter.ts'

/** `--format` of commands that list things: table (default or of a template), json lines, or a template per row. */
export interface ListFormat {
  /** Field → header. A template's `table` takes its headers from here. */
  readonly headers: Readonly<Record<string, string>>
  /** Template of the default table. */
  readonly table: string
  /** Docker's `--format raw`: a line per field and an empty one after each row. */
  readonly raw?: string
  /** Template for `--quiet`. */
  readonly quiet: string
  /** Go's name of the row, for messages: `*formatter.ContainerContext`. */
  readonly rowType: string
  /** What docker says before the reason why a template is no good, where `ps` has words of its own. */
  readonly complaints?: { readonly parse: string; readonly execute: string }
}

const COMPLAINTS = { parse: 'template parsing error', execute: 'template parsing error' }

/** Values are strings as a rule, getters where they are costly; functions are methods (`{{.Label "x"}}`). */
export type Row = Readonly<Record<string, unknown>>

export const FORMAT_FLAG: Flag = {
  name: 'format',
  kind: 'string',
  help: "Format output using a custom template:\n'table':            Print output in table format with column headers (default)\n'table TEMPLATE':   Print output in table format using the given Go template\n'json':             Print in JSON format\n'TEMPLATE':         Print output using the given Go template",
}

export function printList(
  rows: readonly Row[],
  list: ListFormat,
  options: { readonly format: string; readonly quiet?: boolean },
): void {
  const { quiet = false } = options
  const format = options.format === 'raw' ? (list.raw ?? 'raw') : options.format
  const isTable = format === '' || format.startsWith('table')
  if (quiet && (isTable || format === 'json')) return printRows(rows, list.quiet, list)
  if (format === 'json') return printJson(rows)
  if (!isTable) return printRows(rows, format, list)
  const text = format.replace(/^table\s*/, '') || list.table
  printTable(rows, unescape(text), list)
}

/** Lists of rows as one document: `json`, or a template over it. */
export function printDocument(
  document: Readonly<Record<string, readonly Row[]>>,
  format: string,
  rowType: string,
): void {
  if (format === 'json') return printLine(escapeHtml(documentJson(document)))
  const template = new Template(unescape(format), {
    missingField: (name) => `can't evaluate field ${name} in type ${rowType}`,
    functions: {
      json: (value) =>
        value === document
          ? escapeHtml(documentJson(document))
          : isRow(value)
            ? rowJson(value)
            : JSON.stringify(value ?? null),
    },
  })
  writeOut(execute(template, document, {}))
}

function documentJson(document: Readonly<Record<string, readonly Row[]>>): string {
  const fields = Object.entries(document).map(
    ([name, rows]) => `${JSON.stringify(name)}:[${rows.map(rowJson).join(',')}]`,
  )
  return `{${fields.join(',')}}`
}

function printJson(rows: readonly Row[]): void {
  for (const row of rows) printLine(escapeHtml(rowJson(row)))
}

/** Go's json.Marshal; the template function `json` leaves them as they are. */
export function escapeHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Docker marshals its rows' methods sorted by name. */
export function rowJson(row: Row): string {
  const fields = Object.entries(row).filter(([, value]) => typeof value !== 'function')
  return JSON.stringify(Object.fromEntries(fields.toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

function printRows(rows: readonly Row[], text: string, list: ListFormat): void {
  const template = compile(unescape(text), list)
  for (const row of rows) printLine(execute(template, row, list))
}

function printTable(rows: readonly Row[], text: string, list: ListFormat): void {
  const template = compile(text, list)
  const header = execute(template, headerRow(list.headers, rows[0]), list)
  const lines = rows.map((row) => execute(template, row, list))
  writeOut(`${alignColumns([header, ...lines].flatMap((line) => line.split('\n'))).join('\n')}\n`)
}

/** Methods take their argument as the header: `{{.Label "com.example.x"}}` → `x`. */
function headerRow(headers: Readonly<Record<string, string>>, row: Row | undefined): Row {
  // No value is asked for: what the table does not show is not worked out.
  const methods = Object.entries(Object.getOwnPropertyDescriptors(row ?? {}))
    .filter(([, { value }]) => typeof value === 'function')
    .map(([name]) => [
      name,
      (argument: unknown) =>
        argument === undefined ? headers[name] : goString(argument).split('.').at(-1),
    ])
  return { ...headers, ...Object.fromEntries(methods) }
}

function compile(text: string, list: ListFormat): Template {
  try {
    return new Template(text, {
      missingField: (name) => `can't evaluate field ${name} in type ${list.rowType}`,
      functions: {
        json: (value) => (isRow(value) ? rowJson(value) : JSON.stringify(value ?? null)),
      },
    })
  } catch (error) {
    if (error instanceof TemplateSyntaxError)
      throw new ExitError(1, `${(list.complaints ?? COMPLAINTS).parse}: ${error.message}`)
    throw error
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function execute(template: Template, row: Row, list: Pick<ListFormat, 'complaints'>): string {
  try {
    return template.execute(row)
  } catch (error) {
    throw new ExitError(1, `${(list.complaints ?? COMPLAINTS).execute}: ${messageOf(error)}`)
  }
}

/** Shells pass `\t` and `\n` as two characters (docker/cli formatter, Format.templateString). */
function unescape(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
}
